/** Colours of strokes on canvas: the tokens of styles/tokens.css as they stand in the theme that is shown. */

import { onTheme } from "../lib/theme";
// Its listener writes the tokens that ours reads, so it has to be there first.
import "../lib/palettes";

const TOKENS = {
  ground: "--ground",
  zone: "--zone",
  panel: "--panel",
  line: "--line",
  strong: "--strong",
  text: "--ink",
  second: "--second",
  third: "--third",
  dim: "--dim",
  plusText: "--plus-text",
  plus: "--plus",
  plusDeep: "--plus-deep",
  minusText: "--minus-text",
  minus: "--minus",
  minusDeep: "--minus-deep",
  warn: "--warn",
  error: "--error",
  bid: "--bid",
  ask: "--ask",
  bought: "--bought",
  sold: "--sold",
  soldCore: "--sold-core",
  casing: "--casing",
  casingStrong: "--casing-strong",
  grid: "--grid",
  crosshair: "--crosshair",
  window: "--window",
  volume: "--volume",
  bidBar: "--bid-bar",
  askBar: "--ask-bar",
  band: "--band",
  noEdge: "--no-edge",
} as const;

type Name = keyof typeof TOKENS;

function read(): Record<Name, string> {
  const style = typeof document === "undefined" ? null : getComputedStyle(document.documentElement);
  const entries = Object.entries(TOKENS).map(([name, token]) => [name, style?.getPropertyValue(token).trim() ?? ""]);
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** Read anew when the theme changes, before anyone else hears of it. */
export const INK: Readonly<Record<Name, string>> = read();
onTheme(() => Object.assign(INK, read()));

/** Widths of the plot's right-hand columns, CSS pixels. */
export const COLUMNS = { horizon: 32, axis: 64, profile: 96 } as const;

/** Fill for bins that are not there: thin diagonals, yellow for dropped, red for an invalid book. */
export function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern | string {
  const dpr = Math.max(1, Math.round(window.devicePixelRatio || 1));
  const key = `${colour} ${INK.zone} ${dpr}`;
  let pattern = hatches.get(key);
  if (!pattern) {
    pattern = weave(context, colour, dpr);
    hatches.set(key, pattern);
  }
  return pattern;
}

const hatches = new Map<string, CanvasPattern | string>();

function weave(context: CanvasRenderingContext2D, colour: string, dpr: number): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const size = 6 * dpr;
  tile.width = tile.height = size;
  const ink = tile.getContext("2d");
  if (!ink) return colour;
  ink.fillStyle = INK.zone;
  ink.fillRect(0, 0, size, size);
  ink.strokeStyle = colour;
  ink.globalAlpha = 0.55;
  ink.lineWidth = dpr;
  ink.beginPath();
  for (const shift of [-size, 0, size]) {
    ink.moveTo(shift, size);
    ink.lineTo(shift + size, 0);
  }
  ink.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().scale(1 / dpr));
  return pattern ?? colour;
}
