/**
 * Pixels of the history against bins and ticks. x grows with time, bin n covers [x(n), x(n + 1));
 * y grows downwards, tick t covers [y(t + ½), y(t − ½)) and `yOf(t)` is the middle of its row.
 */

const BIN_PX = { min: 1 / 16, max: 24 };
const TICK_PX = { min: 2, max: 40 };
/** Follow lets the spot wander inside this middle share of the height. */
const CALM_SHARE = 0.6;
const GLIDE_MS = 180;

const clamp = (x: number, { min, max }: { min: number; max: number }): number => Math.min(max, Math.max(min, x));

export class Camera {
  width = 1;
  height = 1;
  pxPerBin = 1;
  pxPerTick = 10;
  /** Bin boundary at the right edge; a whole number while following. */
  right = 0;
  /** Tick at mid height. */
  center = 0;
  follow = true;
  #gliding = false;
  #placed = false;

  resize(width: number, height: number): void {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
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

  /** Drag by pixels. */
  pan(dx: number, dy: number): void {
    this.follow = false;
    this.right -= dx / this.pxPerBin;
    this.center += dy / this.pxPerTick;
  }

  /** Zoom time about x; while following, now stays at the right edge. */
  zoomTime(factor: number, x: number): void {
    const anchor = this.follow ? this.width : x;
    const held = this.right + (anchor - this.width) / this.pxPerBin;
    this.pxPerBin = clamp(this.pxPerBin * factor, BIN_PX);
    this.right = held - (anchor - this.width) / this.pxPerBin;
  }

  /** Zoom price about y. */
  zoomPrice(factor: number, y: number): void {
    const held = this.center + (this.height / 2 - y) / this.pxPerTick;
    this.pxPerTick = clamp(this.pxPerTick * factor, TICK_PX);
    this.center = held - (this.height / 2 - y) / this.pxPerTick;
  }

  /** Start over at the next `track`, e.g. for another instrument. */
  reset(): void {
    this.#placed = false;
    this.follow = true;
  }

  /**
   * While following, put the end of bin `lastSeq` at the right edge and glide the spot back to the middle
   * once it leaves the calm zone. True while gliding.
   */
  track(lastSeq: number, spotTick: number | null, dtMs: number): boolean {
    if (!this.follow) return false;
    this.right = lastSeq + 1;
    if (spotTick === null) return false;
    const away = Math.abs(this.yOf(spotTick) - this.height / 2);
    if (!this.#placed || away > this.height) {
      this.center = spotTick;
      this.#placed = true;
      this.#gliding = false;
      return false;
    }
    if (away > (CALM_SHARE / 2) * this.height) this.#gliding = true;
    if (!this.#gliding) return false;
    this.center += (spotTick - this.center) * (1 - Math.exp(-dtMs / GLIDE_MS));
    if (Math.abs(spotTick - this.center) * this.pxPerTick < 0.5) this.#gliding = false;
    return this.#gliding;
  }
}
