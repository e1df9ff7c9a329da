// Everything is defined: begin.

for (const id of ["dreams", "map", "picture"]) find(id).classList.toggle("smooth", WIDTH > 64);
startDreams();
startMap();
startSliders();
show();
