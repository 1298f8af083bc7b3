// The page of a comparison: one word in several texts, and where each of them takes it.

import { broken_invariants, theme_button } from "./chrome.js";
import { element } from "./dom.js";
import { digits_of_double, fitted } from "./numbers.js";
import { css, palette } from "./palette.js";

const kMostShadedTokens = 400;
const kMostNameLetters = 60;

/// A token as it is read: without the blank that only says "a new word".
function readable(text) {
  const shown = text.length > 1 && text.startsWith(" ") ? text.slice(1) : text;
  return shown === " " ? "\u2423" : shown;
}

class ComparisonPage {
  constructor(comparison) {
    this.comparison = comparison;
    this.shaded = [];
    const { model, word, texts } = comparison;
    const heading = element("h1", {}, "\u201c", element("bdi", {}, word.text), `\u201d in ${texts.length} texts`);
    document.getElementById("page").replaceChildren(
      ...[
        element("div", { class: "masthead" }, element("span", { class: "name" }, "Limelight"), element("span", { class: "of" }, `one word in several texts, read by ${model.name}`), theme_button(() => this.paint())),
        broken_invariants(this.proof()),
        element(
          "main",
          { class: "comparison" },
          heading,
          this.section("begins", "Where it begins", element("p", {}, comparison.begins)),
          this.section("looked", `What it looked at: layer ${comparison.layer}, head ${comparison.head}`, this.why_this_head(), texts.map((text) => this.sentence(text)), texts.map((text) => this.contributions(text))),
          this.section("alike", "How alike its vectors are", element("p", {}, "The cosine between the vectors of the word in every two of the texts: 1 where they point the same way."), this.cosines(), element("p", {}, comparison.ends)),
          this.section("near", "Nearest words", this.nearest()),
          this.section("plane", "The paths on one plane", this.plane()),
        ),
        this.colophon(),
      ].filter(Boolean),
    );
    this.paint();
  }

  proof() {
    const { proof } = this.comparison;
    return { ...proof, invariants: proof.invariants.map((each) => ({ ...each, invariant: `${each.text}: ${each.invariant}` })) };
  }

  section(id, title, ...content) {
    return element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title), ...content);
  }

  name_of(text, properties = {}) {
    return element("b", { ...properties, class: `letter letter-${text.name}` }, text.name);
  }

  why_this_head() {
    const because = this.comparison.head_chosen_because;
    const why = because ? `The head was ${because}. ` : "";
    return element("p", {}, `${why}The deeper a word is shaded, the more the word looked at it; what comes after the word is not seen.`);
  }

  /// A text whose tokens are shaded by their weights.
  sentence(text) {
    const weights = new Map(text.contributions.map((from) => [from.token, from.weight]));
    const first = Math.max(0, Math.min(text.word.first_token, text.word.token + 1 - kMostShadedTokens));
    const nodes = text.tokens.slice(first, first + kMostShadedTokens).flatMap((token, i) => {
      const index = first + i;
      const weight = weights.get(index);
      const shown = element("bdi", { class: index >= text.word.first_token && index <= text.word.token ? "token own" : "token", title: weight === undefined ? "not seen" : `weight ${digits_of_double(weight)}` }, readable(token.text));
      if (weight !== undefined) this.shaded.push({ node: shown, weight });
      else shown.classList.add("later");
      return [token.text.startsWith(" ") ? " " : "", shown];
    });
    return element("div", { class: "compared" }, this.name_of(text), element("p", { class: "shaded" }, first > 0 ? "\u2026" : null, nodes, first + kMostShadedTokens < text.tokens.length ? "\u2026" : null), element("span", { class: "effective" }, `attends to ${text.effective_words.toFixed(2)} of ${text.word.token + 1} words in effect`));
  }

  table(columns, rows) {
    const head = element("tr", {}, ["", ...columns].map((name) => element("th", { scope: "col" }, name)));
    return element("div", { class: "facts-scroll", tabindex: 0, role: "group", "aria-label": columns.join(", ") }, element("table", { class: "facts" }, element("thead", {}, head), element("tbody", {}, rows.map(([label, ...cells]) => element("tr", {}, element("th", { scope: "row" }, label), cells.map((cell) => element("td", {}, cell)))))));
  }

  contributions(text) {
    const rows = text.contributions.map((from) => [element("bdi", {}, readable(text.tokens[from.token].text)), ...[from.weight, from.write_length, from.share].map(digits_of_double)]);
    return element("details", { class: "numbers-behind" }, element("summary", {}, `What each word gave in ${text.name}: every number`), this.table(["weight", "length of what it wrote", "part of all that the head wrote"], rows));
  }

  /// One matrix for every depth.
  cosines() {
    const { cosines, depths, texts } = this.comparison;
    const matrix = (values, depth) => {
      const head = element("tr", {}, element("td", {}), texts.map((text) => element("th", { scope: "col" }, this.name_of(text))));
      const rows = values.map((row, i) =>
        element("tr", {}, element("th", { scope: "row" }, this.name_of(texts[i])), row.map((value, j) => {
          const cell = element("td", { title: `${texts[i].name} and ${texts[j].name}: ${digits_of_double(value)}` }, fitted(value, 5, 3));
          this.shaded.push({ node: cell, cosine: value });
          return cell;
        })),
      );
      return element("table", { class: "cosines" }, element("caption", {}, depth === 0 ? depths[0] : `after ${depths[depth]}`), element("thead", {}, head), element("tbody", {}, rows));
    };
    return element("div", { class: "matrices" }, cosines.map(matrix));
  }

  nearest() {
    const words = (list) => element("span", { class: "near" }, list.flatMap((near, i) => [i ? ", " : "", element("bdi", {}, readable(near.text)), element("small", {}, ` ${near.cosine.toFixed(2)}`)]));
    return [
      element("p", {}, `Of all rows of the token table, those that point most nearly the same way, by cosine. A late layer\u2019s vector turns towards what comes next, so its neighbours are often guesses.`),
      this.table(["to its embedding", "after the last layer"], this.comparison.texts.map((text) => [this.name_of(text), words(text.nearest.before), words(text.nearest.after)])),
    ];
  }

  plane() {
    const { plane, texts, depths } = this.comparison;
    const drawn = new DOMParser().parseFromString(this.comparison.figure, "image/svg+xml").documentElement;
    const figure = document.importNode(drawn, true);
    const names = texts.map((text) => this.shining_name(figure, text));
    const rows = texts.flatMap((text) => text.points.map((point, depth) => [[this.name_of(text), ` ${depths[depth]}`], digits_of_double(point.x), digits_of_double(point.y)]));
    return [
      element("figure", { class: "plane" }, element("div", { class: "plane-scroll", tabindex: 0, role: "group", "aria-label": "The paths" }, figure), element("figcaption", {}, `To the right: ${plane.x_axis}. Upwards: ${plane.y_axis}. Together ${Math.round(100 * (plane.x_share + plane.y_share))} % of the variance lies in this plane; the rest is not seen. The same scale in both directions. Dots are the layers.`)),
      element("div", { class: "plane-names" }, names),
      element("details", { class: "numbers-behind" }, element("summary", {}, "Every point in numbers"), this.table(["x", "y"], rows)),
    ];
  }

  /// A text's name, which shows its path alone while it is pointed at or has the focus.
  shining_name(figure, text) {
    const alone = () => this.show_alone(figure, text.name);
    const all = () => this.show_alone(figure, null);
    const letters = [...text.text];
    const shown = letters.length > kMostNameLetters ? `${letters.slice(0, kMostNameLetters).join("")}\u2026` : text.text;
    return element("button", { type: "button", class: "quiet", "aria-label": `Show ${text.name} alone`, onpointerenter: alone, onpointerleave: all, onfocus: alone, onblur: all }, this.name_of(text), " ", element("bdi", {}, shown));
  }

  /// Dims every path but one; null for all of them again.
  show_alone(figure, name) {
    for (const node of figure.querySelectorAll("[class*=text-]")) {
      node.classList.toggle("dimmed", name !== null && !node.classList.contains(`text-${name}`));
    }
  }

  colophon() {
    const { model, proof, hash } = this.comparison;
    const verdict = proof.holds ? `All ${proof.invariants.length} invariants hold` : "Not all invariants hold";
    return element("footer", { class: "colophon" }, element("p", {}, `Every number here was computed by Limelight\u2019s engine, in one run of the model `, element("b", {}, model.name), ` (${model.layers} layers of ${model.heads} heads, width ${model.width}) for each text. ${verdict}, checked against ${proof.reference}.`), element("p", { class: "hash" }, "Model, texts and options: ", element("code", {}, hash)));
  }

  paint() {
    const colors = palette();
    for (const { node, weight, cosine } of this.shaded) {
      // Cosines of one word lie close together: only what is above 0 is shaded, squared.
      const color = cosine === undefined ? colors.color(weight, "weights", 1) : colors.color(Math.max(0, cosine) ** 2, "numbers", 1);
      node.style.backgroundColor = css(color);
      node.style.color = colors.ink_on(color);
    }
  }
}

new ComparisonPage(JSON.parse(document.getElementById("data").textContent));
