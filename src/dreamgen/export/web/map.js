// The map: a plane through `here`, decoded a few milliseconds at a time so that the page stays quick.

const SPAN = MODEL.span; // how far it reaches, in standard deviations of the prior
const plane = [...MODEL.plane];
const CELLS = Math.min(15, Math.max(5, Math.round(420 / Math.max(WIDTH, HEIGHT))));
const ROWS = plane.length > 1 ? CELLS : 1;
let next = 0, stale = 0; // the cell to draw next, and how many show an older `here`

function drawMap() {
  if (!stale) requestAnimationFrame(drawSome);
  stale = CELLS * ROWS;
}

function drawSome() {
  for (const until = performance.now() + 12; stale && performance.now() < until; stale--) {
    drawCell(Math.floor(next / CELLS), next % CELLS);
    next = (next + 1) % (CELLS * ROWS);
  }
  if (stale) requestAnimationFrame(drawSome);
}

function drawCell(row, column) {
  const code = Float32Array.from(here), along = (cell) => SPAN * (2 * cell / (CELLS - 1) - 1);
  code[plane[0]] = along(column);
  if (ROWS > 1) code[plane[1]] = along(CELLS - 1 - row);
  paint(find("map"), decode(code), column * WIDTH, row * HEIGHT, 1);
}

function toPlane(event) {
  const box = find("map").getBoundingClientRect();
  // The middles of the outermost cells are at -SPAN and SPAN.
  const place = (share) => clamp((share * CELLS - 0.5) / (CELLS - 1) * 2 * SPAN - SPAN, SPAN);
  const code = Float32Array.from(here);
  code[plane[0]] = place((event.clientX - box.left) / box.width);
  if (plane.length > 1) code[plane[1]] = -place((event.clientY - box.top) / box.height);
  move(code);
}

function startMap() {
  const canvas = find("map"), selects = [find("across"), find("up")];
  resize(canvas, CELLS * WIDTH, ROWS * HEIGHT);
  resize(find("picture"), WIDTH, HEIGHT);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    toPlane(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) toPlane(event);
  });
  onArrows(canvas, (right, down) => {
    const code = Float32Array.from(here);
    code[plane[0]] = clamp(code[plane[0]] + 0.1 * right, SPAN);
    if (plane.length > 1) code[plane[1]] = clamp(code[plane[1]] - 0.1 * down, SPAN);
    move(code);
  });
  selects.forEach((select, axis) => {
    for (const latent of MODEL.order) select.add(new Option(nameOf(latent), latent));
    select.value = plane[axis];
    select.addEventListener("change", () => turn(axis, Number(select.value)));
  });
  for (const id of ["across-tool", "up-tool", "elsewhere"]) find(id).hidden = MODEL.latents < 3;
  nameMap();
  drawMap();
}

// Another latent on one axis; were it the other axis's, the two change places.
function turn(axis, latent) {
  if (plane[1 - axis] === latent) plane[1 - axis] = plane[axis];
  plane[axis] = latent;
  find("across").value = plane[0];
  find("up").value = plane[1];
  show();
  nameMap();
  drawMap();
}

function nameMap() {
  const axes = plane.length > 1 ? `${nameOf(plane[0])} across, ${nameOf(plane[1])} up` : nameOf(plane[0]);
  find("map").setAttribute("aria-label", `Map: ${axes}, from ${-SPAN} to ${SPAN}`);
}
