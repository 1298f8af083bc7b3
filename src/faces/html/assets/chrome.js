// What stands around a page of ours whatever it tells: light and dark, what proves it, its name.

import { element } from "./dom.js";
import { duration } from "./numbers.js";
import { current_theme } from "./palette.js";

/// A button that turns light into dark and back; `repaint` is called after every change.
export function theme_button(repaint) {
  const button = element("button", {
    type: "button", class: "quiet theme",
    onclick: () => {
      document.documentElement.dataset.theme = current_theme() === "dark" ? "light" : "dark";
      show();
      repaint();
    },
  });
  const show = () => {
    const other = current_theme() === "dark" ? "light" : "dark";
    button.textContent = other === "dark" ? "Dark" : "Light";
    button.setAttribute("aria-label", `Show the page ${other}`);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    show();
    repaint();
  });
  show();
  return button;
}

/// What a run that was made wrong on purpose says of itself; null for an honest one.
export function bug_banner(bug) {
  if (!bug) return null;
  return element("div", { class: "bug-banner", role: "note" }, element("strong", {}, `Wrong on purpose: ${bug.title}`), element("span", {}, bug.text), element("code", {}, `--bug ${bug.name}`));
}

/// The invariants that do not hold, loudly; null where all do.
export function broken_invariants(proof) {
  const broken = proof.invariants.filter((invariant) => !invariant.holds);
  if (proof.holds && !broken.length) return null;
  return element(
    "div",
    { class: "broken", role: "alert" },
    element("strong", {}, broken.length === 1 ? "An invariant does not hold" : `${broken.length || "Some"} invariants do not hold`),
    element("ul", {}, broken.map((invariant) => element("li", {}, `${invariant.invariant}: ${invariant.measured}`))),
  );
}

const kMostTextBelow = 240;

/// What the file is: model, text, hash, and what the proof found.
export function colophon(story) {
  const { model, proof } = story;
  const text = [...story.text];
  const shown = text.length > kMostTextBelow ? `${text.slice(0, kMostTextBelow).join("")}\u2026` : story.text;
  const held = proof.invariants.filter((invariant) => invariant.holds).length;
  const verdict = proof.holds ? `All ${held} invariants hold` : `${held} of ${proof.invariants.length} invariants hold`;
  return element(
    "footer",
    { class: "colophon" },
    element("p", {}, `Every number here was computed by Limelight\u2019s engine in one run of the model `, element("b", {}, model.name), ` (${model.layers} layers of ${model.heads} heads, width ${model.width}) on the text \u201c`, element("bdi", {}, shown), `\u201d.`),
    element(
      "details",
      {},
      element("summary", {}, `${verdict}; checked against ${proof.reference} in ${duration(proof.seconds)}`),
      element("ul", { class: "invariants" }, proof.invariants.map((invariant) => element("li", { class: invariant.holds ? null : "does-not-hold" }, element("span", {}, invariant.holds ? "holds" : "broken"), ` ${invariant.invariant}: ${invariant.measured}`))),
    ),
    element("p", { class: "hash" }, "Model, text and options: ", element("code", {}, story.hash)),
  );
}
