// A small picture beside the pointer, over the points of a Plotly chart whose customdata starts with an example's id. All
// pictures come as one, side by side. The chart may be drawn later, or anew: it is looked for again and again.
const LOOK_AGAIN = 400;
const SIZE = 84;
const OFFSET = 18;

function card(parentElement) {
  const node = parentElement.querySelector(".hover");
  Object.assign(node.style, {
    position: "fixed", zIndex: 1000, width: `${SIZE}px`, height: `${SIZE}px`, pointerEvents: "none",
    border: "2px solid #808790", borderRadius: "6px", backgroundColor: "#fff",
  });
  node.hidden = true;
  return node;
}

function place(node, data, position, event) {
  const column = position % data.columns;
  const row = Math.floor(position / data.columns);
  node.style.backgroundImage = `url("${data.pictures}")`;
  node.style.backgroundSize = `${data.columns * SIZE}px auto`;
  node.style.backgroundPosition = `-${column * SIZE}px -${row * SIZE}px`;
  node.style.imageRendering = data.crisp ? "pixelated" : "auto";
  node.style.left = `${Math.max(4, event.clientX - SIZE - OFFSET)}px`;
  node.style.top = `${Math.max(4, event.clientY - SIZE - OFFSET)}px`;
  node.hidden = false;
}

export default function ({ parentElement, data }) {
  const node = card(parentElement);
  const places = new Map(data.ids.map((id, position) => [String(id), position]));
  let bound = null;
  const over = (hovered) => {
    const row = hovered.points[0]?.customdata;
    const position = places.get(String(Array.isArray(row) ? row[0] : row));
    if (position === undefined) node.hidden = true;
    else place(node, data, position, hovered.event);
  };
  const out = () => { node.hidden = true; };
  const release = () => {
    bound?.removeListener?.("plotly_hover", over);
    bound?.removeListener?.("plotly_unhover", out);
  };
  const look = () => {
    const chart = document.querySelector(`.st-key-${CSS.escape(data.chart)} .js-plotly-plot`);
    if (!chart?.on || chart === bound) return;
    release();
    bound = chart;
    chart.on("plotly_hover", over);
    chart.on("plotly_unhover", out);
  };
  look();
  const timer = setInterval(look, LOOK_AGAIN);
  return () => { clearInterval(timer); release(); };
}
