/**
 * Palettes to choose from, each for both themes: eleven stops from minus to plus, eight from nothing to much. Lightness
 * is the same on both sides, and minus and plus stay apart under simulated protan, deutan and tritan sight. One pair
 * means sign everywhere on the page: another palette than the stylesheet's brings its own tokens for the pair.
 */

import { type Theme, onTheme, repaint, shownTheme } from "./theme";

export interface Stops {
  /** Chart ground: what nothing looks like. The same as --ground in styles/tokens.css. */
  ground: string;
  /** Minus to plus; lightness matched on both sides of the ground. */
  diverging: readonly string[];
  /** Nothing to much; lightness leaves the ground throughout. */
  sequential: readonly string[];
  /** Custom properties of the pair; empty where the stylesheet's own are right. */
  tokens: Readonly<Record<string, string>>;
}

export interface PaletteChoice {
  id: string;
  name: string;
  themes: Record<Theme, Stops>;
}

/** The pair's tokens from a palette's ends: text, fill and deep of plus and minus, then strokes and marks. */
function pair(diverging: readonly string[], marks: Record<string, string>): Record<string, string> {
  const [minusText, minus, minusDeep] = diverging;
  const [plusDeep, plus, plusText] = diverging.slice(-3);
  return {
    "--plus-text": plusText, "--plus": plus, "--plus-deep": plusDeep, "--minus-text": minusText, "--minus": minus,
    "--minus-deep": minusDeep, "--bid-bar": `${plusDeep}8c`, "--ask-bar": `${minusDeep}8c`, "--band": `${plus}38`, ...marks,
  };
}

const GROUND: Record<Theme, string> = { dark: "#12151A", light: "#F8F9FB" };

const VIOLET_DARK = [
  "#FEA75A", "#C77005", "#904F03", "#623401", "#3E1F01", GROUND.dark, "#1F234B", "#313683", "#4C52BD", "#6F7BEF", "#ACB8FF",
];
const VIOLET_LIGHT = [
  "#723E02", "#A95E03", "#D88331", "#E7B185", "#F2D8C4", GROUND.light, "#D6DCF8", "#AEB9F5", "#8391F0", "#5A62DC", "#3838A9",
];
const GREEN_DARK = [
  "#E79BFF", "#BB55D8", "#8D2CA8", "#611974", "#391643", GROUND.dark, "#013205", "#01500C", "#027716", "#05A623", "#71D972",
];
const GREEN_LIGHT = [
  "#770192", "#A536C4", "#C574DD", "#DAA8E9", "#EBD4F2", GROUND.light, "#CBE6CA", "#94CF93", "#4DB450", "#018C1B", "#025E10",
];

export const PALETTES: readonly PaletteChoice[] = [
  {
    id: "blue-orange",
    name: "Blue, orange",
    themes: {
      dark: {
        ground: GROUND.dark,
        diverging: [
          "#EDB067", "#C07432", "#914D1C", "#633218", "#3A2014", GROUND.dark, "#192840", "#21416D", "#2D649E", "#478FCA", "#7FC8F3",
        ],
        sequential: [GROUND.dark, "#1B2130", "#23314E", "#2D4870", "#3C6E93", "#6CA2B0", "#D1CE95", "#F8ECB3"],
        tokens: {},
      },
      light: {
        ground: GROUND.light,
        diverging: [
          "#7A3B06", "#A85B16", "#CB8440", "#E0AE7C", "#EFD6BC", GROUND.light, "#D3E2F1", "#A5C6E6", "#6FA3D6", "#3478B9", "#114C86",
        ],
        sequential: [GROUND.light, "#DFE8F1", "#BCD3E6", "#8DB5D8", "#5A8FC2", "#3A66A0", "#3A3F7E", "#2E1F57"],
        tokens: {},
      },
    },
  },
  {
    id: "violet-gold",
    name: "Violet, gold",
    themes: {
      dark: {
        ground: GROUND.dark,
        diverging: VIOLET_DARK,
        sequential: [GROUND.dark, "#211F40", "#3D286A", "#702F7E", "#B7445D", "#E27641", "#F2B458", "#F4E8BB"],
        tokens: pair(VIOLET_DARK, {
          "--bid": "#D5DCFE", "--ask": "#FFD5B4", "--bought": "#D7DEFE", "--sold": "#FED9BD", "--sold-core": "#1B0E04",
          "--on-plus": "#0C0E1C", "--on-minus": "#190C03",
        }),
      },
      light: {
        ground: GROUND.light,
        diverging: VIOLET_LIGHT,
        sequential: [GROUND.light, "#F1E4BF", "#EDC889", "#ED9C55", "#D96A42", "#AD3A55", "#6C2768", "#341B55"],
        tokens: pair(VIOLET_LIGHT, {
          "--plus": "#7380EB", "--plus-deep": "#A6B2F7", "--minus": "#D57703", "--minus-deep": "#EEAE7B",
          "--bid": "#4247A6", "--ask": "#7E4503", "--bought": "#4950B0", "--sold": "#8A4B01", "--sold-core": "#FCEFE5",
          "--on-plus": "#0C0E1C", "--on-minus": "#190C03",
        }),
      },
    },
  },
  {
    id: "green-purple",
    name: "Green, purple",
    themes: {
      dark: {
        ground: GROUND.dark,
        diverging: GREEN_DARK,
        sequential: [GROUND.dark, "#2B1C3B", "#342F64", "#16587F", "#138282", "#49AF7E", "#ABD15E", "#F4ED8B"],
        tokens: pair(GREEN_DARK, {
          "--bid": "#C9E8C8", "--ask": "#F2D0FD", "--bought": "#CAEAC9", "--sold": "#F4D4FE", "--sold-core": "#170D1A",
          "--on-plus": "#071307", "--on-minus": "#150B18",
        }),
      },
      light: {
        ground: GROUND.light,
        diverging: GREEN_LIGHT,
        sequential: [GROUND.light, "#E6E8C2", "#B5D892", "#71C38F", "#2FA094", "#13748D", "#2F4578", "#341B55"],
        tokens: pair(GREEN_LIGHT, {
          "--plus": "#43A447", "--plus-deep": "#90C88F", "--minus": "#BC6CD5", "--minus-deep": "#D9A9E8",
          "--bid": "#006811", "--ask": "#723983", "--bought": "#0C7219", "--sold": "#7B428C", "--sold-core": "#F8EEFB",
          "--on-plus": "#071307", "--on-minus": "#150B18",
        }),
      },
    },
  },
];

let chosen = PALETTES[0];
let written: string[] = [];

/** The palette that is shown. */
export function shownPalette(): PaletteChoice {
  return chosen;
}

/** The palette after this one, around. */
export function nextPalette(id: string): PaletteChoice {
  const at = PALETTES.findIndex((entry) => entry.id === id);
  return PALETTES[(at + 1) % PALETTES.length];
}

function write(theme: Theme): void {
  const { style } = document.documentElement;
  for (const name of written) style.removeProperty(name);
  const { tokens } = chosen.themes[theme];
  for (const [name, value] of Object.entries(tokens)) style.setProperty(name, value);
  written = Object.keys(tokens);
}

/** Show a palette; an unknown name means the first one. Whoever listens to the theme is told. */
export function choosePalette(id: string): void {
  chosen = PALETTES.find((entry) => entry.id === id) ?? PALETTES[0];
  write(shownTheme());
  repaint();
}

onTheme(write);
