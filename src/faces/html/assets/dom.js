// The one way in which this page makes elements. Text only ever becomes text.

const kSvg = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/// element("p", {class: "note", onclick: f}, "text", child, ...)
export function element(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(kSvg, tag), properties, children);
}

/// Text of the reader's, isolated so that its writing direction stays its own.
export function isolated(text, properties = {}) {
  return element("bdi", properties, text);
}

/// Scrolls a box of its own, and not the page, so that what is in it comes to its middle.
export function center_within(box, inner) {
  const [outer, own] = [box.getBoundingClientRect(), inner.getBoundingClientRect()];
  box.scrollTop += own.top + own.height / 2 - outer.top - outer.height / 2;
}

/// Says something to whoever listens to the page rather than looks at it.
export function announce(text) {
  const region = document.getElementById("announcements");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}
