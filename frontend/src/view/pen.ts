/** Strokes whose edges lie on pixels of the screen, so that they stay sharp at one device pixel to one of CSS. */

export class Pen {
  readonly dpr: number;
  /** Quote strokes and their casing, CSS pixels that are whole device pixels. */
  readonly line: number;
  readonly casing: number;

  constructor(dpr: number) {
    this.dpr = dpr;
    this.line = Math.max(1, Math.round(1.5 * dpr)) / dpr;
    this.casing = this.line + (2 * Math.max(1, Math.round(dpr))) / dpr;
  }

  /** Middle of a stroke of this width nearest to `at` that has both edges on pixels. */
  snap(at: number, width = this.line): number {
    return Math.round((at - width / 2) * this.dpr) / this.dpr + width / 2;
  }

  /** Nearest pixel edge. */
  edge(at: number): number {
    return Math.round(at * this.dpr) / this.dpr;
  }
}
