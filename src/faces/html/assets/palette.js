// Colours of numbers. Ordered by lightness, so that they hold for every kind of colour vision and
// on paper; a sign is also told by digits, by direction or by a stroke, never by colour alone.

// From nothing to all: lamp light. On dark paper it brightens, on light paper it deepens.
const kScales = {
  light: {
    share: ["#fdfbf6", "#fbe9bd", "#f3c565", "#c9821b", "#7f4405", "#3a1a00"],
    positive: ["#fdfbf6", "#fae3b4", "#efb95a", "#cf8a22"],
    negative: ["#fdfbf6", "#c3d6ea", "#6c98c6", "#1f4f86"],
    ink: "#1f1b14",
    paper: "#fdfbf6",
  },
  dark: {
    share: ["#1b1914", "#3d2c0f", "#754e10", "#b98118", "#f0bd4c", "#fff4d2"],
    positive: ["#1b1914", "#4a3410", "#a8741a", "#f3c25a"],
    negative: ["#1b1914", "#1d3450", "#2f639b", "#79b4ee"],
    ink: "#f2ecdf",
    paper: "#1b1914",
  },
};

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/// A table of 256 colours through the stops.
function ramp(stops) {
  const points = stops.map(channels);
  return Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (points.length - 1);
    const from = Math.min(Math.floor(place), points.length - 2);
    return points[from].map((c, k) => Math.round(c + (place - from) * (points[from + 1][k] - c)));
  });
}

function luminance([r, g, b]) {
  const linear = (c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

// Where black and white stand out as much: luminance + 0.05.
const kEvenContrast = Math.sqrt(1.05 * 0.05);

class Palette {
  constructor(scales) {
    this.share = ramp(scales.share);
    this.positive = ramp(scales.positive);
    this.negative = ramp(scales.negative);
    this.dark_ink = luminance(channels(scales.ink)) < 0.5 ? scales.ink : scales.paper;
    this.light_ink = luminance(channels(scales.ink)) < 0.5 ? scales.paper : scales.ink;
  }

  /// The channels of a number whose largest size is `scale`. Small shares are lifted: half of the
  /// range is spent on what is under a quarter.
  color(value, cells, scale) {
    if (!Number.isFinite(value)) return this.share[0];
    const size = Math.min(1, Math.abs(value) / (scale || 1));
    if (cells === "weights") return this.share[Math.round(255 * Math.sqrt(size))];
    return (value < 0 ? this.negative : this.positive)[Math.round(255 * size)];
  }

  /// Ink that reads on the color: soft where contrast is plenty, else black or white, of which one
  /// always stands out by 4.5 to 1.
  ink_on(color) {
    const light = luminance(color) + 0.05;
    const is_light = light > kEvenContrast;
    const contrast = is_light ? light / 0.06 : 1.0 / light;
    if (contrast >= 7) return is_light ? this.dark_ink : this.light_ink;
    return is_light ? "#000000" : "#ffffff";
  }
}

const kPalettes = { light: new Palette(kScales.light), dark: new Palette(kScales.dark) };

export function palette() {
  return kPalettes[current_theme()];
}

export function css(color) {
  return `rgb(${color[0]} ${color[1]} ${color[2]})`;
}

/// "light" or "dark": what the reader chose here, else what the system says; paper is light.
export function current_theme() {
  if (document.documentElement.classList.contains("printing")) return "light";
  const chosen = document.documentElement.dataset.theme;
  if (chosen) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
