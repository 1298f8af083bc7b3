// Vectors laid head to tail on a plane, drawn to one scale in both directions, with every number in
// a table below.

import { element, svg } from "./dom.js";
import { digits_of_double, short_number } from "./numbers.js";

const kMostWidth = 640;
const kMostHeight = 420;
const kLeastHeight = 150;
const kMargin = { x: 0.13, y: 34 };  // of the width; pixels
const kMostLabels = 8;
const kLeastLabelled = 26;  // pixels of a step that is worth a label

/// From numbers of the picture to pixels, the same scale both ways.
function fit(points, width) {
  const xs = points.map((p) => p.x);
  const ys = points.map((p) => p.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [bottom, top] = [Math.min(...ys), Math.max(...ys)];
  const across = right - left || 1e-9;
  const up = top - bottom || 1e-9;
  const scale = Math.min(width * (1 - 2 * kMargin.x) / across, (kMostHeight - 2 * kMargin.y) / up);
  const height = Math.max(kLeastHeight, up * scale + 2 * kMargin.y);
  const shift = (width - across * scale) / 2;
  const drop = (height - up * scale) / 2;
  return {
    height,
    place: (p) => ({ x: shift + (p.x - left) * scale, y: height - drop - (p.y - bottom) * scale }),
  };
}

function length_between(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/// The longest steps get a label; more would lie on each other.
function labelled(places) {
  const steps = places.slice(1).map((p, i) => ({ index: i + 1, length: length_between(p, places[i]) })).filter((step) => step.length >= kLeastLabelled);
  steps.sort((a, b) => b.length - a.length);
  return new Set(steps.slice(0, kMostLabels).map((step) => step.index));
}

function label_beside(from, to, text, taken, { width, height }) {
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const length = length_between(from, to) || 1;
  const aside = { x: -(to.y - from.y) / length, y: (to.x - from.x) / length };
  const half = 3.6 * Math.min(text.length, 22);
  const within = (p) => ({ x: Math.max(half + 2, Math.min(width - half - 2, p.x)), y: Math.max(13, Math.min(height - 5, p.y)) });
  const clear = 9 + half * Math.abs(aside.x) + 5 * Math.abs(aside.y);
  const sides = [-clear, clear, -clear - 16, clear + 16, -clear - 32, clear + 32].map((far) => ({ x: middle.x + aside.x * far, y: middle.y + aside.y * far + 4 })).map(within);
  const at = sides.find((p) => taken.every((t) => Math.abs(t.x - p.x) > half + t.half || Math.abs(t.y - p.y) > 14));
  if (!at) return null;
  taken.push({ ...at, half });
  return svg("text", { x: at.x, y: at.y, class: "path-label", "text-anchor": "middle" }, text.length > 22 ? `${text.slice(0, 21)}\u2026` : text);
}

function dot(place, label, end) {
  return [
    svg("circle", { cx: place.x, cy: place.y, r: end ? 4.5 : 3.5, class: end ? "path-end" : "path-start" }),
    svg("text", { x: place.x + (end ? 9 : -9), y: place.y + 4, "text-anchor": end ? "start" : "end", class: "path-name" }, label),
  ];
}

function drawing(block, width) {
  const { height, place } = fit(block.points, width);
  const places = block.points.map(place);
  const with_label = labelled(places);
  const taken = [places[0], places.at(-1)].map((p) => ({ ...p, half: 30 }));
  const node = svg("svg", { viewBox: `0 0 ${width} ${height.toFixed(1)}`, role: "img", "aria-label": `${block.caption}. Every number is in the table below.` });
  const marker = `arrow-${block.id}-${Math.random().toString(36).slice(2, 8)}`;
  node.append(
    svg("defs", {}, svg("marker", { id: marker, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 6.5, markerHeight: 6.5, orient: "auto-start-reverse" }, svg("path", { d: "M0 1 L10 5 L0 9 Z", class: "path-head" }))),
    svg("line", { x1: places[0].x, y1: places[0].y, x2: places.at(-1).x, y2: places.at(-1).y, class: "path-sum" }),
  );
  places.slice(1).forEach((to, i) => {
    const from = places[i];
    const line = svg("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: "path-step", "marker-end": length_between(from, to) > 7 ? `url(#${marker})` : null });
    line.append(svg("title", {}, block.points[i + 1].label));
    node.append(line);
  });
  const labels = places.slice(1).map((to, i) => (with_label.has(i + 1) ? label_beside(places[i], to, block.points[i + 1].label, taken, { width, height }) : null));
  node.append(...labels.filter(Boolean));
  node.append(...dot(places[0], block.points[0].label, false), ...dot(places.at(-1), "", true));
  return node;
}

function table(block) {
  const head = ["", "x", "y"].map((text) => element("th", { scope: "col" }, text));
  const row = (p) => element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, p.label)), element("td", {}, digits_of_double(p.x)), element("td", {}, digits_of_double(p.y)));
  return element("details", { class: "numbers-behind" }, element("summary", {}, "Every point in numbers"), element("table", { class: "facts" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, block.points.map(row))));
}

/// `room`: the pixels that there are across.
export function path_picture(block, room) {
  const axes = `To the right: ${block.x_axis}. Upwards: ${block.y_axis}. ${short_number(100 * block.share)} % of the steps\u2019 squared length lies in this plane.`;
  return element("figure", { class: "path", "data-block": block.id }, element("figcaption", {}, block.caption), block.points.length > 1 ? drawing(block, Math.min(kMostWidth, room)) : null, element("p", { class: "axes" }, axes), table(block));
}
