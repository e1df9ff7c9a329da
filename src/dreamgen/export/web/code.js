// One code, `here`, that the map, the sliders and the picture all show.

const [HEIGHT, WIDTH, CHANNELS] = MODEL.shape;
const here = new Float32Array(MODEL.latents);
const find = (id) => document.getElementById(id);
const clamp = (x, limit) => Math.min(limit, Math.max(-limit, x));
const nameOf = (latent) => `latent ${latent}`;

// Go to another code; the map changes only when its plane does.
function move(code) {
  const off = here.some((value, latent) => value !== code[latent] && !plane.includes(latent));
  here.set(code);
  show();
  if (off) drawMap();
}

function show() {
  paint(find("picture"), decode(here), 0, 0, 1);
  const share = (value) => `${100 * ((clamp(value, SPAN) + SPAN) / (2 * SPAN) * (CELLS - 1) + 0.5) / CELLS}%`;
  find("point").style.left = share(here[plane[0]]);
  find("point").style.top = plane.length > 1 ? share(-here[plane[1]]) : "50%";
  find("place").textContent = plane.map((latent) => `${nameOf(latent)}: ${here[latent].toFixed(2)}`).join("\n");
  for (const input of document.querySelectorAll(".slider input")) {
    const value = here[input.dataset.latent];
    input.value = value;
    input.previousElementSibling.value = value.toFixed(2);
  }
}

// A picture onto a canvas, each pixel `times` wide and high.
function paint(canvas, picture, left, top, times) {
  const image = new ImageData(WIDTH * times, HEIGHT * times);
  for (let y = 0, to = 0; y < HEIGHT * times; y++) {
    for (let x = 0; x < WIDTH * times; x++, to += 4) {
      const from = (Math.floor(y / times) * WIDTH + Math.floor(x / times)) * CHANNELS;
      for (let c = 0; c < 3; c++) image.data[to + c] = Math.round(255 * picture[from + (CHANNELS === 3 ? c : 0)]);
      image.data[to + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(image, left, top);
}

function resize(canvas, width, height) {
  canvas.width = width;
  canvas.height = height;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onArrows(canvas, act) {
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act(...ARROWS[event.key]);
  });
}
