/** Round steps for axes. */

/**
 * Ticks between price labels that stand at least `minPx` apart: halvings of a dollar below one, 1, 2, 5 × 10ⁿ dollars
 * above, or plain 1, 2, 5 × 10ⁿ ticks where a dollar is not a whole number of them.
 */
export function priceStep(tickSize: number, pxPerTick: number, minPx: number): number {
  const least = minPx / pxPerTick;
  const perDollar = Math.round(1 / tickSize);
  const unit = perDollar >= 1 && Math.abs(perDollar * tickSize - 1) < 1e-9 ? perDollar : 1;
  for (let part = 1; part < unit; part += 1) if (unit % part === 0 && part >= least) return part;
  for (let scale = unit; ; scale *= 10) {
    for (const factor of [1, 2, 5]) if (factor * scale >= least) return factor * scale;
  }
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/** Seconds between time labels that stand at least `minPx` apart. */
export function timeStep(pxPerSecond: number, minPx: number): number {
  return TIME_STEPS_S.find((step) => step * pxPerSecond >= minPx) ?? 21_600;
}
