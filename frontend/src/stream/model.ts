/** Everything a stream has said so far, in the form the views read. */

import { BinLog } from "../lib/bins";
import { BubbleBook, sidedFills } from "../lib/bubbles";
import { nsToMs } from "../lib/clock";
import { CoarseMap } from "../lib/coarse";
import { StreamHealth, quietSince } from "../lib/health";
import { ColumnRing } from "../lib/ring";
import { SessionTrace } from "../lib/session";
import { ProjectionSkill } from "../lib/skill";
import { MAIN_LAYERS, PV, RING_FIELDS } from "../view/layers";
import type { GridUpdate, RuntimeConfig } from "../wire.generated";
import { type Grid, binScalars, originMs } from "../wire/decode";

export interface Firing {
  seq: number;
  tsMs: number;
  direction: 1 | -1;
  value: number;
  mid: number;
}

export interface BinRange {
  from: number;
  to: number;
}

/** Where an added bin went: slot of the ring, column of the coarse map (-1: none), and whether earlier bins changed. */
export interface Added {
  slot: number;
  column: number;
  rewound: boolean;
}

const MAX_FIRINGS = 5000;
/** Bins whose scalars are kept: a whole day at 100 ms. */
const MAX_BINS = 1 << 20;
const COARSE_FIELDS = MAIN_LAYERS.map(({ field }) => field);

export class Model {
  config: RuntimeConfig | null = null;
  bins: BinLog | null = null;
  ring: ColumnRing | null = null;
  coarse: CoarseMap | null = null;
  bubbles = new BubbleBook(100);
  session = new SessionTrace(1);
  skill = new ProjectionSkill([]);
  readonly health = new StreamHealth();
  update: GridUpdate | null = null;
  /** Market time of the latest bin's end and of the start of bin 0, ms. */
  tsMs = Number.NaN;
  origin = Number.NaN;
  /** Projected score by horizon, rows k = -R..+R around the latest spot. */
  projections: Float32Array[] = [];
  firings: Firing[] = [];
  /** Bins the server skipped for this page. */
  drops: BinRange[] = [];
  /** Last dominant state that was not mixed. */
  lastState: { code: number; seq: number } | null = null;
  /** First of the latest bins in a row without a record of the market, -1 while records come. */
  #quietFrom = -1;
  readonly #capacity: number;
  /** Bins were missed since the last one with a valid book. */
  #broken = false;

  /** `capacity`: bins of which every field is kept. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get binMs(): number {
    return this.config?.cell_width_ms ?? 100;
  }

  get tickSize(): number {
    return this.config ? Number(this.config.tick_int) / 1e9 : 1;
  }

  get decimals(): number {
    return this.config?.price_decimals ?? 2;
  }

  /** Latest bin, -1 before the first. */
  get last(): number {
    return this.bins?.last ?? -1;
  }

  /** Latest valid spot tick, null without one. */
  get spotTick(): number | null {
    const slot = this.bins?.validSlot(this.last) ?? -1;
    return this.bins && slot >= 0 ? this.bins.spotTick[slot] : null;
  }

  /** A stream says what it is. The history is kept when it goes on with the same capture. True if it was kept. */
  begin(config: RuntimeConfig): boolean {
    const same =
      this.ring !== null &&
      this.config?.addresses.dataset === config.addresses.dataset &&
      this.config.config_version === config.config_version &&
      this.config.serving?.name === config.serving?.name &&
      this.config.grid_rows === config.grid_rows;
    this.config = config;
    this.health.restart(config.speed);
    if (same) return true;
    const { n_bins: nBins } = config.capture;
    this.bins = new BinLog(Math.min(nBins, MAX_BINS));
    this.ring = new ColumnRing(Math.min(this.#capacity, Math.max(1, nBins)), config.grid_rows, RING_FIELDS);
    this.coarse = new CoarseMap(nBins, COARSE_FIELDS);
    this.bubbles = new BubbleBook(config.cell_width_ms);
    this.session = new SessionTrace(nBins);
    this.skill = new ProjectionSkill(config.projection_horizons_bins);
    this.origin = nsToMs(config.capture.start_ns);
    this.update = null;
    this.tsMs = Number.NaN;
    this.projections = [];
    this.firings = [];
    this.drops = [];
    this.lastState = null;
    this.#quietFrom = -1;
    this.health.dropped = 0;
    this.health.received = 0;
    return false;
  }

  /** One bin, and where it went. */
  add(update: GridUpdate, grid: Grid, nowMs: number): Added {
    const { config, ring, bins, coarse } = this;
    if (!config || !ring || !bins || !coarse) throw new Error("a bin came before its runtime_config");
    const bin = binScalars(update, config);
    const rewound = bin.seq <= bins.last;
    if (rewound) this.#rewind(bin.seq);
    const jumped = bins.last >= 0 && bin.seq !== bins.last + 1;
    if (update.dropped > 0 || jumped) this.#broken = true;
    this.#quietFrom = quietSince(this.#quietFrom, bin.seq, update.bin_event_count, !rewound && !jumped);
    bins.push(bin);
    const pv = pressureMinusVacuum(grid);
    const column = (field: string): ArrayLike<number> | undefined => (field === PV ? pv : grid.column(field));
    const slot = ring.push(bin.seq, bin.valid, bin.spotTick, column);
    const pooled = bin.valid ? coarse.add(bin.seq, bin.spotTick, column) : -1;
    this.update = update;
    this.tsMs = nsToMs(update.ts_ns);
    this.origin = originMs(update, config);
    this.health.arrived(this.tsMs, nowMs, update.dropped);
    if (update.dropped > 0) {
      this.drops.push({ from: bin.seq - update.dropped, to: bin.seq - 1 });
      if (this.drops[0].to < bins.first) this.drops = this.drops.filter((range) => range.to >= bins.first);
    }
    this.session.add(bin.seq, bin.mid, bin.buyVolume + bin.sellVolume, update.dropped);

    const fills = grid.column("fill_size");
    if (bin.valid && fills) {
      this.bubbles.add(bin.seq, sidedFills(fills, bin.spotTick, bin.buyVolume, bin.sellVolume));
      this.bubbles.prune(bins.first);
    }
    if (bin.fired !== 0) {
      const direction = bin.fired > 0 ? 1 : -1;
      this.firings.push({ seq: bin.seq, tsMs: this.tsMs, direction, value: bin.signal, mid: bin.valid ? bin.mid : Number.NaN });
      if (this.firings.length > MAX_FIRINGS) this.firings.shift();
    }
    if (bin.valid && bin.ready && bin.dominant !== 0) this.lastState = { code: bin.dominant, seq: bin.seq };
    this.projections = config.projection_horizons_ms.map((ms) => floats(grid, `proj_score_h${ms}`));
    if (bin.valid) {
      this.skill.add(bin.seq, bin.spotTick, floats(grid, "flow_score"), this.projections, this.#broken);
      this.#broken = false;
    }
    return { slot, column: pooled, rewound };
  }

  #rewind(seq: number): void {
    this.firings = this.firings.filter((firing) => firing.seq < seq);
    this.drops = this.drops.filter((range) => range.to < seq);
    if (this.lastState && this.lastState.seq >= seq) this.lastState = null;
    if (this.ring) this.coarse?.rewind(seq, this.ring);
  }

  /** Bins of [from, to] that the server skipped; the rest of a hole was never asked for. */
  droppedIn(from: number, to: number): number {
    let n = 0;
    for (const range of this.drops) n += Math.max(0, Math.min(to, range.to) - Math.max(from, range.from) + 1);
    return n;
  }

  /** Market time at the start of a bin, ms. */
  timeOf(seq: number): number {
    return this.origin + seq * this.binMs;
  }

  /** Start of a bin, ns. */
  nsOf(seq: number): bigint {
    const start = BigInt(this.config?.capture.start_ns ?? 0);
    return start + BigInt(seq) * BigInt(Math.round(this.binMs * 1e6));
  }

  /** Least age of the book, ms of market time: how long no record is known to have changed it. */
  get bookAgeMs(): number {
    return this.#quietFrom < 0 ? 0 : (this.last + 1 - this.#quietFrom) * this.binMs;
  }

  priceOf(tick: number): number {
    return tick * this.tickSize;
  }
}

/** A column of its own memory; the message it came in can go. */
function floats(grid: Grid, name: string): Float32Array {
  return new Float32Array(grid.column(name) ?? []);
}

function pressureMinusVacuum(grid: Grid): Float32Array | undefined {
  const pressure = grid.column("pressure_variant");
  const vacuum = grid.column("vacuum_variant");
  if (!pressure || !vacuum) return undefined;
  const difference = new Float32Array(pressure);
  for (let row = 0; row < difference.length; row += 1) difference[row] -= vacuum[row];
  return difference;
}
