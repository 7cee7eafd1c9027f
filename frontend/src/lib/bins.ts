/**
 * What every bin of a capture has once: quotes, mid, volumes, score, signal. Kept for the whole capture (up to
 * `capacity` bins, then the oldest go), so that quotes, strip and session can be drawn at any zoom. A bin sits in slot
 * `bin_seq mod capacity`; one that never came leaves a slot whose number does not match.
 */

/** Ticks are absolute; `NO_TICK` while the book is invalid. */
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

/** Bins that are not there (`missing`) or had no valid book (`invalid`), ends included. */
export interface Gap {
  kind: "missing" | "invalid";
  from: number;
  to: number;
}

export const NO_TICK = -1;
const EMPTY = -1;

export class BinLog {
  readonly capacity: number;
  /** bin_seq per slot, -1 while empty. */
  readonly seqs: Int32Array;
  readonly valid: Uint8Array;
  readonly spotTick: Int32Array;
  readonly bidTick: Int32Array;
  readonly askTick: Int32Array;
  readonly mid: Float64Array;
  readonly buyVolume: Float32Array;
  readonly sellVolume: Float32Array;
  readonly score: Float32Array;
  readonly ready: Uint8Array;
  readonly dominant: Int8Array;
  readonly signal: Float32Array;
  readonly fired: Int8Array;
  #gaps: Gap[] = [];
  #last = EMPTY;
  #first = EMPTY;

  constructor(capacity: number) {
    this.capacity = Math.max(1, capacity);
    const n = this.capacity;
    this.seqs = new Int32Array(n).fill(EMPTY);
    this.valid = new Uint8Array(n);
    this.spotTick = new Int32Array(n);
    this.bidTick = new Int32Array(n);
    this.askTick = new Int32Array(n);
    this.mid = new Float64Array(n);
    this.buyVolume = new Float32Array(n);
    this.sellVolume = new Float32Array(n);
    this.score = new Float32Array(n);
    this.ready = new Uint8Array(n);
    this.dominant = new Int8Array(n);
    this.signal = new Float32Array(n);
    this.fired = new Int8Array(n);
  }

  /** Latest bin, -1 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Oldest bin that can still be here, -1 before the first. */
  get first(): number {
    return this.#first === EMPTY ? EMPTY : Math.max(this.#first, this.#last - this.capacity + 1);
  }

  /** Slot of a bin, -1 if it is not held. */
  slotOf(seq: number): number {
    if (seq < 0 || seq > this.#last) return -1;
    const slot = seq % this.capacity;
    return this.seqs[slot] === seq ? slot : -1;
  }

  /** Slot of a bin with a valid book, -1 otherwise. */
  validSlot(seq: number): number {
    const slot = this.slotOf(seq);
    return slot >= 0 && this.valid[slot] === 1 ? slot : -1;
  }

  /** Append a bin (later than the last, or earlier after a seek: what came after it is forgotten). */
  push(bin: BinScalars): number {
    if (bin.seq <= this.#last) this.rewind(bin.seq);
    const slot = bin.seq % this.capacity;
    this.seqs[slot] = bin.seq;
    this.valid[slot] = bin.valid ? 1 : 0;
    this.spotTick[slot] = bin.spotTick;
    this.bidTick[slot] = bin.bidTick;
    this.askTick[slot] = bin.askTick;
    this.mid[slot] = bin.mid;
    this.buyVolume[slot] = bin.buyVolume;
    this.sellVolume[slot] = bin.sellVolume;
    this.score[slot] = bin.score;
    this.ready[slot] = bin.ready ? 1 : 0;
    this.dominant[slot] = bin.dominant;
    this.signal[slot] = bin.signal;
    this.fired[slot] = bin.fired;
    if (this.#last !== EMPTY && bin.seq > this.#last + 1) this.#gap("missing", this.#last + 1, bin.seq - 1);
    if (!bin.valid) this.#gap("invalid", bin.seq, bin.seq);
    if (this.#first === EMPTY) this.#first = bin.seq;
    this.#last = bin.seq;
    return slot;
  }

  #gap(kind: Gap["kind"], from: number, to: number): void {
    const open = this.#gaps.at(-1);
    if (open && open.kind === kind && open.to === from - 1) open.to = to;
    else this.#gaps.push({ kind, from, to });
    while (this.#gaps.length > 0 && this.#gaps[0].to < this.first) this.#gaps.shift();
  }

  /** Forget bin `seq` and all later ones. */
  rewind(seq: number): void {
    for (let slot = 0; slot < this.capacity; slot += 1) if (this.seqs[slot] >= seq) this.seqs[slot] = EMPTY;
    this.#last = Math.min(this.#last, seq - 1);
    if (this.#first > this.#last) this.#first = this.#last = EMPTY;
    this.#gaps = this.#gaps.filter((gap) => gap.from < seq);
    const open = this.#gaps.at(-1);
    if (open && open.to >= seq) open.to = seq - 1;
    // The last bin held is one that came: a hole at the end is not a gap yet.
    if (this.#last !== EMPTY && open?.kind === "missing" && open.to >= this.#last) {
      this.#gaps.pop();
      this.#last = open.from - 1;
    }
  }

  /** How many of the `n` bins before `seq` have to be asked for so that all of them are held. */
  missingBefore(seq: number, n: number): number {
    const from = Math.max(0, seq - n);
    let earliest = seq;
    for (let back = from; back < seq; back += 1) {
      if (this.slotOf(back) >= 0) continue;
      earliest = back;
      break;
    }
    return seq - earliest;
  }

  /** Gaps that touch [from, to], whole. */
  gaps(from: number, to: number): Gap[] {
    return this.#gaps.filter((gap) => gap.to >= Math.max(from, this.first) && gap.from <= to);
  }
}
