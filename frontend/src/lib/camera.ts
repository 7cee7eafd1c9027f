/**
 * Pixels of the history against bins and ticks. x grows with time, bin n covers [x(n), x(n + 1));
 * y grows downwards, tick t covers [y(t + ½), y(t − ½)) and `yOf(t)` is the middle of its row.
 */

const BIN_PX = { min: 1 / 16, max: 24 };
const TICK_PX = { min: 2, max: 40 };
/** Follow lets the spot wander inside this middle share of the height. */
const CALM_SHARE = 0.6;
const GLIDE_MS = 180;

const clamp = (x: number, min: number, max: number): number => Math.min(max, Math.max(min, x));

/** What the heatmap draws: `columns` by `rows` cells from bin `first` on and tick `top` downwards. */
export interface Raster {
  columns: number;
  rows: number;
  first: number;
  top: number;
  /** Bins of a column; with more than one, columns are pixels of the screen. */
  pooled: number;
  /** Place of the upper left corner and size of a cell, CSS pixels. */
  x: number;
  y: number;
  columnPx: number;
  rowPx: number;
}

export class Camera {
  width = 1;
  height = 1;
  pxPerBin = 1;
  pxPerTick = 10;
  /** Bin boundary at the right edge. */
  right = 0;
  /** Tick at mid height. */
  center = 0;
  /** While following, pixels that stay free between now and the right edge. */
  lead = 0;
  #follow = true;
  #nBins = 0;
  #gliding = false;
  #placed = false;

  get follow(): boolean {
    return this.#follow;
  }

  /** Whether prices are known: until the first valid book there is nothing that the axis could say. */
  get placed(): boolean {
    return this.#placed;
  }

  resize(width: number, height: number): void {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
  }

  /** Bins of the whole capture: as far as time zooms out, and where panning ends. */
  set nBins(n: number) {
    this.#nBins = n;
  }

  get minPxPerBin(): number {
    return this.#nBins > 0 ? Math.min(BIN_PX.min, this.width / this.#nBins) : BIN_PX.min;
  }

  xOf(seq: number): number {
    return this.width + (seq - this.right) * this.pxPerBin;
  }

  seqAt(x: number): number {
    return Math.floor(this.right + (x - this.width) / this.pxPerBin + 1e-9);
  }

  yOf(tick: number): number {
    return this.height / 2 - (tick - this.center) * this.pxPerTick;
  }

  tickAt(y: number): number {
    return Math.round(this.center + (this.height / 2 - y) / this.pxPerTick);
  }

  /** First and last bin that touch the view. */
  get seqSpan(): [number, number] {
    return [this.seqAt(0), Math.ceil(this.right) - 1];
  }

  /** Lowest and highest tick whose row touches the view. */
  get tickSpan(): [number, number] {
    const half = this.height / 2 / this.pxPerTick;
    return [Math.floor(this.center - half + 0.5), Math.ceil(this.center + half - 0.5)];
  }

  /** Bins that share a pixel of a screen with `dpr` pixels to one of CSS; 1 when each has its own. */
  pooled(dpr: number): number {
    return Math.max(1, Math.ceil(1 / (this.pxPerBin * dpr) - 1e-3));
  }

  /** The cells that cover the view, to be drawn one pixel each and then stretched to their place. */
  raster(dpr: number): Raster {
    const { width, height, pxPerBin, pxPerTick } = this;
    const pooled = this.pooled(dpr);
    const first = this.seqSpan[0];
    const top = this.tickSpan[1];
    const y = { rows: Math.ceil(height / pxPerTick) + 1, top, y: this.yOf(top + 0.5), rowPx: pxPerTick, pooled };
    // Where bins share a pixel the pixels of the screen are the columns.
    if (pooled > 1) return { ...y, columns: Math.max(1, Math.round(width * dpr)), first, x: 0, columnPx: 1 / dpr };
    return { ...y, columns: Math.ceil(width / pxPerBin) + 1, first, x: this.xOf(first), columnPx: pxPerBin };
  }

  /** Now to the right edge, and along with it from here on; the market back to mid height. */
  followNow(spotTick: number | null): void {
    this.#follow = true;
    this.lead = 0;
    this.#gliding = false;
    if (spotTick !== null) this.center = spotTick;
  }

  /** Hold still, e.g. to look at the past. */
  stay(): void {
    this.#follow = false;
  }

  /** Drag by pixels. */
  pan(dx: number, dy: number): void {
    this.#follow = false;
    this.right -= dx / this.pxPerBin;
    this.center += dy / this.pxPerTick;
    this.#keepInside();
  }

  #keepInside(): void {
    if (this.#nBins <= 0) return;
    const view = this.width / this.pxPerBin;
    this.right = clamp(this.right, 0.2 * view, this.#nBins + 0.8 * view);
  }

  /**
   * Zoom time; the bin under x stays there. While following, now moves with the rest: it is followed where it comes to
   * lie, until it leaves the view. At the right edge and beyond, now itself is what stays.
   */
  zoomTime(factor: number, x: number): void {
    const nowX = this.width - this.lead;
    const anchor = this.#follow && x >= nowX ? nowX : Math.min(x, this.width);
    const held = this.right + (anchor - this.width) / this.pxPerBin;
    const now = this.right - this.lead / this.pxPerBin;
    this.pxPerBin = clamp(this.pxPerBin * factor, this.minPxPerBin, BIN_PX.max);
    this.right = held - (anchor - this.width) / this.pxPerBin;
    if (!this.#follow) {
      this.#keepInside();
      return;
    }
    const lead = (this.right - now) * this.pxPerBin;
    if (lead < -0.5 || lead > this.width) this.#follow = false;
    else this.lead = Math.max(0, lead);
  }

  /** Zoom price about y. */
  zoomPrice(factor: number, y: number): void {
    const held = this.center + (this.height / 2 - y) / this.pxPerTick;
    this.pxPerTick = clamp(this.pxPerTick * factor, TICK_PX.min, TICK_PX.max);
    this.center = held - (this.height / 2 - y) / this.pxPerTick;
  }

  /** Put a stretch of bins across the whole width; now is no longer followed. */
  frame(from: number, to: number): void {
    this.#follow = false;
    this.pxPerBin = clamp(this.width / Math.max(1, to - from), this.minPxPerBin, BIN_PX.max);
    this.right = to;
  }

  /** Start over at the next `track`, e.g. for another instrument. */
  reset(): void {
    this.#placed = false;
    this.#follow = true;
    this.lead = 0;
  }

  /**
   * While following, put the end of bin `lastSeq` in its place and glide the spot back to the middle once it leaves the
   * calm zone. True while gliding.
   */
  track(lastSeq: number, spotTick: number | null, dtMs: number): boolean {
    if (this.#follow) this.right = lastSeq + 1 + this.lead / this.pxPerBin;
    if (spotTick === null) return false;
    const away = Math.abs(this.yOf(spotTick) - this.height / 2);
    if (!this.#placed || (this.#follow && away > this.height)) {
      this.center = spotTick;
      this.#placed = true;
      this.#gliding = false;
      return false;
    }
    if (!this.#follow) return false;
    if (away > (CALM_SHARE / 2) * this.height) this.#gliding = true;
    if (!this.#gliding) return false;
    this.center += (spotTick - this.center) * (1 - Math.exp(-dtMs / GLIDE_MS));
    if (Math.abs(spotTick - this.center) * this.pxPerTick < 0.5) this.#gliding = false;
    return this.#gliding;
  }
}
