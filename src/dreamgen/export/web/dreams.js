// A grid of dreams; one of them can be chosen and taken to the map.

const dreams = { codes: [], columns: 1, chosen: -1 };
const GAP = 3, TIMES = Math.max(1, Math.round(64 / WIDTH)); // small pictures are enlarged by a whole number

function dream() {
  dreams.codes = Array.from({ length: Number(find("count").value) }, fromPrior);
  dreams.columns = Math.ceil(Math.sqrt(dreams.codes.length));
  dreams.chosen = -1;
  const rows = Math.ceil(dreams.codes.length / dreams.columns);
  resize(find("dreams"), dreams.columns * (WIDTH * TIMES + GAP) + GAP, rows * (HEIGHT * TIMES + GAP) + GAP);
  dreams.codes.forEach((code, number) => paint(find("dreams"), decode(code), ...corner(number), TIMES));
  find("dreams").setAttribute("aria-label", `${dreams.codes.length} dreams`);
}

// The left upper corner of a dream on the canvas.
function corner(number) {
  const [row, column] = [Math.floor(number / dreams.columns), number % dreams.columns];
  return [column * (WIDTH * TIMES + GAP) + GAP, row * (HEIGHT * TIMES + GAP) + GAP];
}

// Frame a dream; with `go`, move there.
function choose(number, go) {
  if (number < 0 || number >= dreams.codes.length) return;
  const canvas = find("dreams"), context = canvas.getContext("2d");
  for (const [frame, colour] of [[dreams.chosen, null], [number, getComputedStyle(canvas).getPropertyValue("--accent")]]) {
    if (frame < 0) continue;
    const [left, top] = corner(frame);
    context.clearRect(left - GAP, top - GAP, WIDTH * TIMES + 2 * GAP, HEIGHT * TIMES + 2 * GAP);
    if (colour) {
      context.fillStyle = colour;
      context.fillRect(left - GAP, top - GAP, WIDTH * TIMES + 2 * GAP, HEIGHT * TIMES + 2 * GAP);
    }
    paint(canvas, decode(dreams.codes[frame]), left, top, TIMES);
  }
  dreams.chosen = number;
  canvas.setAttribute("aria-label", `${dreams.codes.length} dreams, number ${number + 1} chosen`);
  if (go) move(dreams.codes[number]);
}

function startDreams() {
  const canvas = find("dreams");
  for (const n of [1, 4, 9, 16, 25, 36, 64, 100, 144]) find("count").add(new Option(n, n));
  find("count").value = WIDTH * HEIGHT > 40 * 40 ? 16 : 64;
  find("count").addEventListener("change", dream);
  find("dream").addEventListener("click", dream);
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / box.width * dreams.columns);
    const row = Math.floor((event.clientY - box.top) / box.height * Math.ceil(dreams.codes.length / dreams.columns));
    choose(row * dreams.columns + column, true);
  });
  onArrows(canvas, (right, down) => choose(dreams.chosen < 0 ? 0 : dreams.chosen + right + down * dreams.columns, false));
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && dreams.chosen >= 0) move(dreams.codes[dreams.chosen]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => choose(dreams.chosen, false));
  dream();
}
