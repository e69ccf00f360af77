// Two pictures side by side, laid over each other or in turn; zoom, maps and size need no server. What a person chose
// stays while other pictures are shown.
const views = new WeakMap();
const FLICKER = 650;
const ZOOMS = [1, 2, 4];

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function button(tools, text, act) {
  const node = element("button", "", text);
  node.type = "button";
  node.addEventListener("click", act);
  tools.append(node);
  return node;
}

function slider(tools, text, value, act) {
  const label = element("label", "", text);
  const input = element("input");
  Object.assign(input, { type: "range", min: 0, max: 100, value });
  input.addEventListener("input", () => act(Number(input.value)));
  label.append(input);
  tools.append(label);
  return label;
}

function newFigure(view, pair) {
  const figure = element("figure");
  const frame = element("div", "frame");
  const image = element("img");
  const map = element("img");
  map.alt = "";
  frame.tabIndex = 0;
  frame.append(image, map);
  frame.addEventListener("click", () => zoom(view));
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); zoom(view); }
  });
  frame.addEventListener("pointermove", (event) => look(view, frame, event));
  const caption = element("figcaption");
  figure.append(frame, caption);
  pair.append(figure);
  return { figure, frame, image, map, caption };
}

// Both pictures are looked at in the same place.
function look(view, frame, event) {
  const box = frame.getBoundingClientRect();
  view.stage.style.setProperty("--x", `${(100 * (event.clientX - box.left)) / box.width}%`);
  view.stage.style.setProperty("--y", `${(100 * (event.clientY - box.top)) / box.height}%`);
}

function zoom(view) {
  view.zoom = ZOOMS[(ZOOMS.indexOf(view.zoom) + 1) % ZOOMS.length];
  show(view);
}

function newView(root) {
  const view = { mode: "beside", zoom: 1, opacity: 70, over: 50, turn: false, timer: 0, root };
  view.stage = element("div", "stage");
  view.pair = element("div", "pair");
  view.figures = [newFigure(view, view.pair), newFigure(view, view.pair)];
  const tools = element("div", "tools");
  view.modes = {};
  for (const [name, text] of [["beside", "Side by side"], ["over", "Overlay"], ["flicker", "Flicker"]]) {
    view.modes[name] = button(tools, text, () => { view.mode = name; show(view); });
  }
  view.zoomButton = button(tools, "Zoom", () => zoom(view));
  view.sizeButton = button(tools, "Larger", () => resize(view));
  view.overSlider = slider(tools, "Second", view.over, (value) => { view.over = value; show(view); });
  view.mapSlider = slider(tools, "Map", view.opacity, (value) => { view.opacity = value; show(view); });
  view.stage.append(view.pair, tools);
  view.dialog = element("dialog");
  view.dialog.setAttribute("aria-label", "both pictures, larger");
  view.dialog.addEventListener("close", () => { root.prepend(view.stage); show(view); });
  view.dialog.addEventListener("click", (event) => event.target === view.dialog && view.dialog.close());
  root.replaceChildren(view.stage, view.dialog);
  return view;
}

function resize(view) {
  if (view.dialog.open) view.dialog.close();
  else {
    view.dialog.append(view.stage);
    view.dialog.showModal();
    show(view);
  }
}

function show(view) {
  const [first, second] = view.figures;
  const together = view.mode !== "beside" && view.data.pictures.length > 1;
  // Laid over each other, the second picture stands in the first one's frame.
  if (together) first.frame.append(second.image, second.map);
  else second.frame.append(second.image, second.map);
  second.frame.hidden = together;
  second.image.style.opacity = view.mode === "over" ? view.over / 100 : together && !view.turn ? 0 : 1;
  for (const one of view.figures) {
    const covered = together && view.mode === "flicker" && (one === second) !== view.turn;
    one.map.style.opacity = covered ? 0 : view.opacity / 100;
  }
  for (const [name, node] of Object.entries(view.modes)) node.setAttribute("aria-pressed", String(name === view.mode));
  view.overSlider.hidden = !(together && view.mode === "over");
  view.mapSlider.hidden = !view.data.pictures.some((one) => one.map);
  view.zoomButton.textContent = view.zoom === 1 ? "Zoom" : `Zoom ${view.zoom} ×`;
  view.sizeButton.textContent = view.dialog.open ? "Smaller" : "Larger";
  view.stage.style.setProperty("--zoom", view.zoom);
  view.stage.classList.toggle("zoomed", view.zoom > 1);
  view.stage.classList.toggle("crisp", view.data.crisp);
  clearInterval(view.timer);
  if (together && view.mode === "flicker") {
    view.timer = setInterval(() => { view.turn = !view.turn; show(view); }, FLICKER);
  }
}

function fill(one, picture) {
  one.figure.hidden = !picture;
  if (!picture) return;
  if (one.image.getAttribute("src") !== picture.src) one.image.setAttribute("src", picture.src);
  one.image.alt = picture.alt;
  one.frame.setAttribute("role", "button");
  one.frame.setAttribute("aria-label", `${picture.alt}, zoom`);
  one.map.hidden = !picture.map;
  if (picture.map) one.map.setAttribute("src", picture.map);
  one.caption.replaceChildren(element("b", "", picture.title), ` ${picture.words}`);
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".comparison");
  let view = views.get(root);
  if (!view) views.set(root, (view = newView(root)));
  view.data = data;
  view.figures.forEach((one, place) => fill(one, data.pictures[place]));
  show(view);
  return () => clearInterval(view.timer);
}
