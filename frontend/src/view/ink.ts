/** Colours of strokes on canvas; the same tokens as in styles/tokens.css. */

export const INK = {
  ground: "#12151A",
  zone: "#0F1216",
  panel: "#14171D",
  line: "#22272F",
  strong: "#353C48",
  text: "#E8EAEE",
  second: "#A9B1BD",
  third: "#7F8895",
  plusText: "#7FC8F3",
  plus: "#478FCA",
  plusDeep: "#2D649E",
  minusText: "#EDB067",
  minus: "#C07432",
  minusDeep: "#914D1C",
  warn: "#E9D58A",
  error: "#F28B82",
  bid: "#BFE3F9",
  ask: "#F9DAB0",
  bought: "#C4E7FB",
  sold: "#FBDDB4",
  casing: "rgba(10,12,16,.82)",
  grid: "rgba(232,234,238,.05)",
  crosshair: "rgba(232,234,238,.62)",
} as const;

/** Widths of the plot's right-hand columns, CSS pixels. */
export const COLUMNS = { horizon: 32, axis: 64, profile: 96 } as const;

/** Fill for bins that are not there: thin diagonals, yellow for dropped, red for an invalid book. */
export function hatch(context: CanvasRenderingContext2D, colour: string): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const dpr = Math.max(1, Math.round(window.devicePixelRatio || 1));
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
