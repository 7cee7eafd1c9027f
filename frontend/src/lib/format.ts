/** Numbers as the screens print them: true minus sign, fixed decimals, no negative zero. */

export const MINUS = "−";
export const DASH = "–";

function body(magnitude: number, digits: number): { text: string; zero: boolean } {
  const text = magnitude.toFixed(digits);
  return { text, zero: Number(text) === 0 };
}

/** Fixed decimals with a true minus; a value that rounds to zero carries no sign; NaN is a dash. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return DASH;
  const { text, zero } = body(Math.abs(value), digits);
  return value < 0 && !zero ? MINUS + text : text;
}

/** As `fixed`, with a plus in front of positive values. */
export function signed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return DASH;
  const { text, zero } = body(Math.abs(value), digits);
  if (zero) return text;
  return (value < 0 ? MINUS : "+") + text;
}

/** Whole number with thousands separated by commas. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return DASH;
  const text = Math.abs(Math.round(value)).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  return value < 0 && text !== "0" ? MINUS + text : text;
}

/** Decimals that keep about `significant` digits of a magnitude, between 0 and 6. */
export function digitsFor(magnitude: number, significant = 2): number {
  const size = Math.abs(magnitude);
  if (!Number.isFinite(size) || size === 0) return 0;
  return Math.min(6, Math.max(0, significant - 1 - Math.floor(Math.log10(size))));
}

/** A value of unknown size in about three significant digits. */
export function adaptive(value: number, withSign = false): string {
  const digits = digitsFor(value, 3);
  return withSign ? signed(value, digits) : fixed(value, digits);
}

/** A threshold with the decimals it needs, two to five; a dash where there is none. */
export function thresholdText(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return DASH;
  for (let digits = 2; digits < 5; digits += 1) {
    if (Math.abs(Number(value.toFixed(digits)) - value) < 1e-9) return fixed(value, digits);
  }
  return fixed(value, 5);
}

/** Decimals a tick size needs: 0.25 has 2, 0.015625 has 6. */
export function priceDecimals(tickSize: number): number {
  for (let digits = 0; digits < 9; digits += 1) {
    const scaled = tickSize * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-9 * Math.max(1, scaled)) return digits;
  }
  return 9;
}

/** Seconds as people say them: "0.8 s", "42 s", "3 min", "5 h". */
export function age(seconds: number): string {
  if (!Number.isFinite(seconds)) return DASH;
  if (seconds < 10) return `${fixed(seconds, 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** "1 tick", "2 ticks"; halves keep their decimal. */
export function ticks(value: number): string {
  const text = Number.isInteger(value) ? fixed(value, 0) : fixed(value, 1);
  return `${text} ${Math.abs(value) === 1 ? "tick" : "ticks"}`;
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

/** "second", "ninth and later" are told apart no further. */
export function ordinal(n: number): string {
  return ORDINALS[n - 1] ?? `${n}th`;
}
