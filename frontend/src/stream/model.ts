/** Everything a stream has said so far, in the form the views read. */

import { BubbleBook, sidedFills } from "../lib/bubbles";
import { nsToMs } from "../lib/clock";
import { StreamHealth } from "../lib/health";
import { ColumnRing } from "../lib/ring";
import { SessionTrace } from "../lib/session";
import { PV, RING_FIELDS } from "../view/layers";
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

const MAX_FIRINGS = 500;

export class Model {
  config: RuntimeConfig | null = null;
  ring: ColumnRing | null = null;
  bubbles = new BubbleBook(100);
  session = new SessionTrace(1);
  readonly health = new StreamHealth();
  update: GridUpdate | null = null;
  /** Market time of the latest bin's end and of the start of bin 0, ms. */
  tsMs = Number.NaN;
  origin = Number.NaN;
  /** Projected score by horizon, rows k = -R..+R around the latest spot. */
  projections: Float32Array[] = [];
  flowScore: Float32Array = new Float32Array(0);
  firings: Firing[] = [];
  /** Bins the server skipped for this page. */
  drops: BinRange[] = [];
  /** Last dominant state that was not mixed. */
  lastState: { code: number; seq: number } | null = null;
  /** Grows with every bin and every new configuration. */
  version = 0;
  readonly #capacity: number;

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

  /** Latest valid spot tick, null without one. */
  get spotTick(): number | null {
    const ring = this.ring;
    const slot = ring ? ring.slotOf(ring.last) : -1;
    return ring && slot >= 0 && ring.valid[slot] ? ring.spotTick[slot] : null;
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
    this.version += 1;
    this.health.restart(config.speed);
    if (same) return true;
    this.ring = new ColumnRing(this.#capacity, config.grid_rows, RING_FIELDS);
    this.bubbles = new BubbleBook(config.cell_width_ms);
    this.session = new SessionTrace(config.capture.n_bins);
    this.origin = nsToMs(config.capture.start_ns);
    this.update = null;
    this.tsMs = Number.NaN;
    this.projections = [];
    this.firings = [];
    this.drops = [];
    this.lastState = null;
    this.health.dropped = 0;
    this.health.received = 0;
    return false;
  }

  /** One bin; its slot in the ring. */
  add(update: GridUpdate, grid: Grid, nowMs: number): number {
    const { config, ring } = this;
    if (!config || !ring) throw new Error("a bin came before its runtime_config");
    const bin = binScalars(update, config);
    if (bin.seq <= ring.last) this.#rewind(bin.seq);
    const slot = ring.push(bin, (field) => (field === PV ? pressureMinusVacuum(grid) : grid.column(field)));
    this.update = update;
    this.tsMs = nsToMs(update.ts_ns);
    this.origin = originMs(update, config);
    this.health.arrived(this.tsMs, nowMs, update.dropped);
    if (update.dropped > 0) {
      this.drops.push({ from: bin.seq - update.dropped, to: bin.seq - 1 });
      if (this.drops[0].to < ring.first) this.drops = this.drops.filter((range) => range.to >= ring.first);
    }
    this.session.add(bin.seq, bin.mid, bin.buyVolume + bin.sellVolume, update.dropped);

    const fills = grid.column("fill_size");
    if (bin.valid && fills) {
      this.bubbles.add(bin.seq, sidedFills(fills, bin.spotTick, bin.buyVolume, bin.sellVolume));
      this.bubbles.prune(ring.first);
    }
    if (bin.fired !== 0) {
      const direction = bin.fired > 0 ? 1 : -1;
      this.firings.push({ seq: bin.seq, tsMs: this.tsMs, direction, value: bin.signal, mid: bin.mid });
      if (this.firings.length > MAX_FIRINGS) this.firings.shift();
    }
    if (bin.ready && bin.dominant !== 0) this.lastState = { code: bin.dominant, seq: bin.seq };
    this.projections = config.projection_horizons_ms.map((ms) => floats(grid, `proj_score_h${ms}`));
    this.flowScore = floats(grid, "flow_score");
    this.version += 1;
    return slot;
  }

  #rewind(seq: number): void {
    this.firings = this.firings.filter((firing) => firing.seq < seq);
    this.drops = this.drops.filter((range) => range.to < seq);
    if (this.lastState && this.lastState.seq >= seq) this.lastState = null;
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

  priceOf(tick: number): number {
    return tick * this.tickSize;
  }
}

function floats(grid: Grid, name: string): Float32Array {
  const column = grid.column(name);
  return column ? Float32Array.from(column) : new Float32Array(0);
}

function pressureMinusVacuum(grid: Grid): Float32Array | undefined {
  const pressure = grid.column("pressure_variant");
  const vacuum = grid.column("vacuum_variant");
  if (!pressure || !vacuum) return undefined;
  return Float32Array.from(pressure, (value, row) => value - vacuum[row]);
}
