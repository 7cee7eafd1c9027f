/**
 * The last bins, column by column. A bin sits in slot `bin_seq mod capacity`, so a bin that never came leaves a slot
 * whose number does not match: a gap, seen without bookkeeping. Rows run k = -R..+R; each column keeps its own spot
 * tick, so it is anchored to price, not to row.
 */

/** What one bin has once. Ticks are absolute; `NO_TICK` while the book is invalid. */
export interface BinScalars {
  seq: number;
  valid: boolean;
  spotTick: number;
  bidTick: number;
  askTick: number;
  /** Mid in dollars, 0 while the book is invalid. */
  mid: number;
  buyVolume: number;
  sellVolume: number;
  /** State-model score, and whether it counts yet. */
  score: number;
  ready: boolean;
  dominant: number;
  /** Signal value, NaN where there is none, and the direction of a firing. */
  signal: number;
  fired: number;
}

export const NO_TICK = -1;
const EMPTY = -1;

export class ColumnRing {
  readonly capacity: number;
  readonly rows: number;
  readonly fields: readonly string[];
  /** bin_seq per slot, -1 while empty. */
  readonly seqs: Int32Array;
  readonly valid: Uint8Array;
  readonly spotTick: Int32Array;
  readonly bidTick: Int32Array;
  readonly askTick: Int32Array;
  readonly mid: Float64Array;
  readonly score: Float32Array;
  readonly ready: Uint8Array;
  readonly dominant: Int8Array;
  readonly signal: Float32Array;
  readonly fired: Int8Array;
  readonly #columns = new Map<string, Float32Array>();
  #last = EMPTY;
  #first = EMPTY;

  constructor(capacity: number, rows: number, fields: readonly string[]) {
    this.capacity = capacity;
    this.rows = rows;
    this.fields = fields;
    this.seqs = new Int32Array(capacity).fill(EMPTY);
    this.valid = new Uint8Array(capacity);
    this.spotTick = new Int32Array(capacity);
    this.bidTick = new Int32Array(capacity);
    this.askTick = new Int32Array(capacity);
    this.mid = new Float64Array(capacity);
    this.score = new Float32Array(capacity);
    this.ready = new Uint8Array(capacity);
    this.dominant = new Int8Array(capacity);
    this.signal = new Float32Array(capacity);
    this.fired = new Int8Array(capacity);
    for (const field of fields) this.#columns.set(field, new Float32Array(capacity * rows));
  }

  /** Latest bin, -1 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Oldest bin that can still be here, -1 before the first. */
  get first(): number {
    return this.#first === EMPTY ? EMPTY : Math.max(this.#first, this.#last - this.capacity + 1);
  }

  get radius(): number {
    return (this.rows - 1) / 2;
  }

  /** Slot of a bin, -1 if it is not held. */
  slotOf(seq: number): number {
    if (seq < 0 || seq > this.#last) return -1;
    const slot = seq % this.capacity;
    return this.seqs[slot] === seq ? slot : -1;
  }

  /** Append a bin (later than the last, or earlier after a seek: what came after it is forgotten). */
  push(bin: BinScalars, column: (field: string) => ArrayLike<number> | undefined): number {
    if (bin.seq <= this.#last) this.rewind(bin.seq);
    const slot = bin.seq % this.capacity;
    for (const field of this.fields) {
      const target = this.#columns.get(field);
      const values = column(field);
      const at = slot * this.rows;
      if (values && values.length === this.rows) target?.set(values, at);
      else target?.fill(0, at, at + this.rows);
    }
    this.seqs[slot] = bin.seq;
    this.valid[slot] = bin.valid ? 1 : 0;
    this.spotTick[slot] = bin.spotTick;
    this.bidTick[slot] = bin.bidTick;
    this.askTick[slot] = bin.askTick;
    this.mid[slot] = bin.mid;
    this.score[slot] = bin.score;
    this.ready[slot] = bin.ready ? 1 : 0;
    this.dominant[slot] = bin.dominant;
    this.signal[slot] = bin.signal;
    this.fired[slot] = bin.fired;
    if (this.#first === EMPTY || bin.seq < this.#first) this.#first = bin.seq;
    this.#last = bin.seq;
    return slot;
  }

  /** Forget bin `seq` and all later ones. */
  rewind(seq: number): void {
    for (let slot = 0; slot < this.capacity; slot += 1) if (this.seqs[slot] >= seq) this.seqs[slot] = EMPTY;
    this.#last = Math.min(this.#last, seq - 1);
    if (this.#first > this.#last) {
      this.#first = EMPTY;
      this.#last = EMPTY;
    }
  }

  /** All slots of a field, (capacity, rows) in slot order. */
  field(name: string): Float32Array | undefined {
    return this.#columns.get(name);
  }

  /** One value by bin and absolute tick; NaN outside the grid, in a gap or under an invalid book. */
  at(name: string, seq: number, tick: number): number {
    const slot = this.slotOf(seq);
    if (slot < 0 || !this.valid[slot]) return Number.NaN;
    const row = tick - this.spotTick[slot] + this.radius;
    if (row < 0 || row >= this.rows) return Number.NaN;
    return this.#columns.get(name)?.[slot * this.rows + row] ?? Number.NaN;
  }

  /** Copy up to out.length values of a field from bins [from, to] and ticks [low, high], evenly thinned; their count. */
  sample(name: string, span: [number, number], ticks: [number, number], out: Float32Array): number {
    const values = this.#columns.get(name);
    if (!values || this.#last < 0) return 0;
    const from = Math.max(span[0], this.first);
    const to = Math.min(span[1], this.#last);
    const cells = Math.max(1, (to - from + 1) * (ticks[1] - ticks[0] + 1));
    const stride = Math.max(1, Math.ceil(cells / out.length));
    let n = 0;
    let phase = 0;
    for (let seq = from; seq <= to; seq += 1) {
      const slot = this.slotOf(seq);
      if (slot < 0 || !this.valid[slot]) continue;
      const low = Math.max(0, ticks[0] - this.spotTick[slot] + this.radius);
      const high = Math.min(this.rows - 1, ticks[1] - this.spotTick[slot] + this.radius);
      let row = low + phase;
      for (; row <= high && n < out.length; row += stride) out[n++] = values[slot * this.rows + row];
      phase = Math.max(0, row - high - 1) % stride;
    }
    return n;
  }

  /** Runs of bins within [from, to] that are missing (`dropped`) or have no valid book (`invalid`). */
  gaps(from: number, to: number): Gap[] {
    const found: Gap[] = [];
    let open: Gap | null = null;
    for (let seq = Math.max(from, this.first); seq <= Math.min(to, this.#last); seq += 1) {
      const slot = this.slotOf(seq);
      const kind = slot < 0 ? "missing" : this.valid[slot] ? null : "invalid";
      if (open && open.kind === kind) open.to = seq;
      else {
        open = kind ? { kind, from: seq, to: seq } : null;
        if (open) found.push(open);
      }
    }
    return found;
  }
}

export interface Gap {
  kind: "missing" | "invalid";
  from: number;
  to: number;
}
