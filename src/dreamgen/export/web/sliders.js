// A slider for each latent, the one that carries most first.

const REACH = 4; // how far they go, in standard deviations of the prior
const SHOWN = 10; // that are open at once

function addSlider(latent) {
  const [box, label, input, output] = ["div", "label", "input", "output"].map((tag) => document.createElement(tag));
  box.className = "slider";
  Object.assign(input, { id: `latent-${latent}`, type: "range", min: -REACH, max: REACH, step: "any" });
  input.dataset.latent = latent;
  label.htmlFor = output.htmlFor = input.id;
  const rate = MODEL.rates ? `, ${MODEL.rates[latent].toFixed(2)} nats` : "";
  label.textContent = `Latent ${latent}${rate}`;
  input.addEventListener("input", () => {
    const code = Float32Array.from(here);
    code[latent] = Number(input.value);
    move(code);
  });
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    input.value = Number(input.value) + steps[event.key];
    input.dispatchEvent(new Event("input"));
  });
  box.append(label, output, input);
  return box;
}

function startSliders() {
  MODEL.order.forEach((latent, rank) => find(rank < SHOWN ? "sliders" : "more").append(addSlider(latent)));
  find("rest").hidden = MODEL.latents <= SHOWN;
  find("rest").firstElementChild.textContent = `The other ${MODEL.latents - SHOWN}`;
  find("centre").addEventListener("click", () => move(new Float32Array(MODEL.latents)));
}
