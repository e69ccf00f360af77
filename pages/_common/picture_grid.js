// Streamlit calls the exported function again whenever `data` changes. Cards are kept by id, so that the focus stays.
// A click is added to a numbered log which travels as a state value: of two triggers sent during one run the server
// keeps only the later, of a state it keeps the latest, and the latest log still holds both clicks.
const LOG_LENGTH = 50;
const LONGEST_WHOLE = 10;
const grids = new WeakMap();

function element(tag, className) {
  const node = document.createElement(tag);
  node.className = className;
  return node;
}

function newGrid(root) {
  const instance = Date.now().toString(36) + Math.random().toString(36).slice(2);
  return { root, instance, count: 0, log: [], cards: new Map() };
}

function send(grid, kind, id) {
  grid.count += 1;
  grid.log = [...grid.log, { n: grid.count, kind, id }].slice(-LOG_LENGTH);
  grid.setStateValue("log", { instance: grid.instance, events: grid.log });
}

function newCard(grid, id) {
  const node = element("div", "card");
  node.setAttribute("role", "listitem");
  const pick = element("button", "pick");
  pick.type = "button";
  const image = element("img", "");
  image.alt = "";
  image.draggable = false;
  const snippet = element("em", "snippet");
  const bar = element("i", "bar");
  pick.addEventListener("click", () => send(grid, "click", id));
  node.append(pick);
  return { node, pick, image, snippet, bar, shown: "", tick: null };
}

function addTick(grid, card, id) {
  const label = element("label", "tick");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.addEventListener("change", () => send(grid, "select", id));
  box.addEventListener("click", (event) => {
    if (event.detail) card.pick.focus({ preventScroll: true }); // by the mouse: the page's keys pass an input by
  });
  label.append(box);
  card.node.append(label);
  card.tick = box;
}

function words(card, picture) {
  const lines = picture.lines.map((text) => ["span", "line", text]);
  const texts = [["b", "file", picture.file], ["strong", "title", picture.title], ...lines, ["b", "mark", picture.mark]];
  const nodes = texts.filter(([, , text]) => text).flatMap(([tag, className, text]) => {
    const node = element(tag, className);
    node.textContent = text;
    // Short words and numbers stay whole where a card is narrow; a long name, and that of a file, may break anywhere.
    node.classList.toggle("whole", className !== "file" && text.split(" ").every((word) => word.length <= LONGEST_WHOLE));
    return [" ", node]; // the space parts the words for who hears them, and is not seen
  });
  card.pick.replaceChildren(card.image, card.snippet, card.bar, ...nodes);
}

function fill(card, picture) {
  const shown = JSON.stringify(picture);
  if (card.shown === shown) return;
  card.shown = shown;
  card.node.className = ["card", picture.tone, picture.crisp ? "crisp" : ""].join(" ");
  // The name holds what is to be seen, word for word, so that who sees it can also call it.
  const seen = [picture.snippet, picture.file, picture.title, ...picture.lines, picture.mark].filter(Boolean).join(" ");
  card.pick.setAttribute("aria-label", picture.alt + ", " + seen);
  card.image.hidden = !picture.src;
  card.snippet.hidden = !picture.snippet;
  card.snippet.textContent = picture.snippet;
  if (picture.src && card.image.getAttribute("src") !== picture.src) card.image.setAttribute("src", picture.src);
  words(card, picture);
}

function tick(grid, card, picture, data, pending) {
  if (!data.selectable) {
    card.tick?.parentElement.remove();
    card.tick = null;
    return;
  }
  if (!card.tick) addTick(grid, card, picture.id);
  card.tick.setAttribute("aria-label", data.select_label + ": " + picture.alt);
  card.tick.parentElement.title = data.select_label;
  if (!pending.has(picture.id)) card.tick.checked = data.selected.includes(picture.id);
}

function arrange(grid, nodes) {
  const focused = grid.root.getRootNode().activeElement;
  nodes.forEach((node, place) => {
    if (grid.root.children[place] !== node) grid.root.insertBefore(node, grid.root.children[place] ?? null);
  });
  while (grid.root.children.length > nodes.length) grid.root.lastElementChild.remove();
  if (focused?.isConnected && grid.root.getRootNode().activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
}

// The arrow keys walk along the cards and open each.
function step(grid, event) {
  const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const picks = [...grid.cards.values()].map((card) => card.pick);
  const place = picks.indexOf(event.target);
  if (!way || place < 0 || !picks[place + way]) return;
  event.preventDefault();
  event.stopPropagation();
  picks[place + way].focus();
  picks[place + way].click();
}

// Within the strip alone: the page must not move.
function bringIntoView(grid, id) {
  const node = grid.cards.get(id)?.node;
  if (!node || grid.seen === id) return;
  grid.seen = id;
  const { root } = grid;
  if (node.offsetLeft < root.scrollLeft || node.offsetLeft + node.offsetWidth > root.scrollLeft + root.clientWidth) {
    root.scrollLeft = node.offsetLeft - root.offsetLeft - node.offsetWidth;
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector(".grid");
  let grid = grids.get(root);
  if (!grid) grids.set(root, (grid = newGrid(root)));
  grid.setStateValue = setStateValue;
  root.style.setProperty("--min", data.columns_min_px + "px");
  root.style.setProperty("--lines", data.snippet_lines);
  const heard = data.heard[0] === grid.instance ? data.heard[1] : 0;
  const pending = new Set(grid.log.filter((e) => e.kind === "select" && e.n > heard).map((e) => e.id));
  const cards = new Map();
  for (const picture of data.pictures) {
    const card = grid.cards.get(picture.id) ?? newCard(grid, picture.id);
    cards.set(picture.id, card);
    fill(card, picture);
    card.pick.setAttribute("aria-pressed", String(data.chosen.includes(picture.id)));
    tick(grid, card, picture, data, pending);
  }
  grid.cards = cards;
  arrange(grid, [...cards.values()].map((card) => card.node));
  root.classList.toggle("strip", data.strip);
  root.onkeydown = (event) => step(grid, event);
  if (data.strip) bringIntoView(grid, data.chosen[0]);
}
