/**
 * A made-up market for developing the pages without the service: bins of the wire's shape, deterministic by seed.
 * Nothing here is a model of anything; it only looks alive.
 */

import { float32, int32, int64, int8, tableFromArrays, tableToIPC } from "@uwdata/flechette";

export const RADIUS = 50;
export const ROWS = 2 * RADIUS + 1;
export const BIN_MS = 100;
export const HORIZONS_MS = [100, 200, 300, 400];
export const TICK_INT = 250_000_000n;
export const N_BINS = 36_000;
export const START_NS = 1_770_387_900_000_000_000n; // 2026-02-06 09:25:00 ET
const BASE_TICK = 99_600;
const SPAN = 2048;

/** mulberry32 */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const CHANNELS = ["add", "pull", "fill", "rest_depth", "bid_depth", "ask_depth"];
const FLOAT_FIELDS = [
  "pressure_variant", "vacuum_variant", "add_mass", "pull_mass", "fill_mass", "rest_depth", "bid_depth", "ask_depth",
  ...["v", "a", "j"].flatMap((letter) => CHANNELS.map((channel) => `${letter}_${channel}`)),
  "composite", "composite_d1", "composite_d2", "composite_d3",
];
const BYTE_FIELDS = ["ask_reprice_sign", "bid_reprice_sign", "microstate_id"];
export const FIELD_NAMES = [
  "k", ...FLOAT_FIELDS, "flow_score", "flow_state_code", "best_ask_move_ticks", "best_bid_move_ticks", ...BYTE_FIELDS,
  "state5_code", "chase_up_flag", "chase_down_flag", "last_event_id", "fill_size",
  ...HORIZONS_MS.map((ms) => `proj_score_h${ms}`),
];

function typeOf(name) {
  if (name === "k" || name.endsWith("_move_ticks")) return int32();
  if (name === "last_event_id") return int64();
  if (BYTE_FIELDS.includes(name) || /_code$|_flag$/.test(name)) return int8();
  return float32();
}
const TYPES = Object.fromEntries(FIELD_NAMES.map((name) => [name, typeOf(name)]));

export class Market {
  constructor(seed = 7) {
    this.rand = random(seed);
    this.seq = 0;
    this.bid = SPAN / 2;
    this.drift = 0;
    this.events = 0;
    const tick = () => new Float64Array(SPAN);
    this.depth = tick().map((_, i) => 8 + 30 * this.rand() + Math.min(40, Math.abs(i - SPAN / 2) * 0.4));
    for (let i = 0; i < 60; i += 1) this.depth[Math.floor(this.rand() * SPAN)] += 60 + 60 * this.rand();
    this.v = { add: tick(), pull: tick(), fill: tick() };
    this.composite = tick();
    this.base = 0;
    this.history = [];
    this.cooldown = 0;
  }

  /** One bin: the grid_update without type and dropped, and its columns. */
  next() {
    const { rand, v, depth } = this;
    const seq = this.seq++;
    const before = this.bid;
    this.drift = 0.995 * this.drift + 0.02 * (rand() - 0.5);
    const burst = rand() < 0.01 ? 6 : 1;
    const fills = new Float64Array(SPAN);
    for (const name of ["add", "pull", "fill"]) for (let i = 0; i < SPAN; i += 1) v[name][i] *= Math.exp(-0.1 / 2);
    const events = Math.floor((1 + 6 * rand() * rand()) * burst);
    for (let i = 0; i < events; i += 1) {
      const away = Math.floor(-Math.log(1 - rand()) * 9);
      const up = rand() < 0.5;
      const tick = up ? this.bid + 1 + away : this.bid - away;
      const lots = 1 + Math.floor(-Math.log(1 - rand()) * 8);
      const name = rand() < 0.5 + (up ? -1 : 1) * this.drift ? "add" : "pull";
      v[name][tick] += lots / 2;
      depth[tick] = Math.max(1, depth[tick] + (name === "add" ? lots : -lots));
    }
    let [buy, sell, trades] = [0, 0, 0];
    if (rand() < 0.12 * burst) {
      const lots = 1 + Math.floor(-Math.log(1 - rand()) * 9);
      const up = rand() < 0.5 + this.drift * 2;
      const tick = up ? this.bid + 1 : this.bid;
      fills[tick] += lots;
      v.fill[tick] += lots / 2;
      trades = 1 + Math.floor(lots / 4);
      if (up) buy = lots;
      else sell = lots;
    }
    if (rand() < 0.03 + (burst > 1 ? 0.3 : 0)) this.bid += rand() < 0.5 + this.drift * 3 ? 1 : -1;
    this.events += events + trades;
    const move = this.bid - before;
    return this.#emit(seq, move, fills, buy, sell, trades);
  }

  #emit(seq, move, fills, buy, sell, trades) {
    const spot = this.bid + 1;
    const bull = move > 0 ? 0.99 : 0;
    const bear = move < 0 ? 0.99 : 0;
    const base = bull - bear;
    const d1 = (base - this.base) / 0.1;
    this.base = base;
    const score = Math.max(-1, Math.min(1, d1 / 14));
    this.history.push(score);
    const value = Math.tanh(8 * this.drift + 0.35 * this.history.slice(-8).reduce((a, b) => a + b, 0));
    this.cooldown -= 1;
    let fired = 0;
    if (seq >= 300 && Math.abs(value) >= 0.2 && this.cooldown <= 0) {
      fired = Math.sign(value);
      this.cooldown = 60;
    }
    const columns = this.#columns(spot, move, fills);
    const end = START_NS + BigInt(seq + 1) * BigInt(BIN_MS * 1e6);
    const price = (tick) => (BigInt(BASE_TICK - SPAN / 2 + tick) * TICK_INT).toString();
    const ready = seq >= 59;
    const update = {
      ts_ns: end.toString(), bin_seq: seq, bin_start_ns: (end - BigInt(BIN_MS * 1e6)).toString(), bin_end_ns: end.toString(),
      bin_event_count: 10, event_id: String(this.events),
      mid_price: (BASE_TICK - SPAN / 2 + this.bid + 0.5) * 0.25,
      spot_ref_price_int: price(spot), best_bid_price_int: price(this.bid), best_ask_price_int: price(this.bid + 1),
      book_valid: true, trade_count: trades, buy_volume: buy, sell_volume: sell,
      state_model_name: "derivative", state_model_score: ready ? score : 0, state_model_ready: ready,
      state_model_sample_count: seq + 1, state_model_base: base, state_model_d1: d1, state_model_d2: d1 * 10,
      state_model_d3: d1 * 100, state_model_z1: d1 / 4, state_model_z2: d1 / 7, state_model_z3: d1 / 12,
      state_model_bull_intensity: bull, state_model_bear_intensity: bear, state_model_mixed_intensity: 1 - bull - bear,
      state_model_dominant_state5_code: move > 0 ? 2 : move < 0 ? -2 : 0,
      signal: { name: "ads", value: seq < 30 ? null : value, threshold: 0.2, fired },
    };
    return { update, columns };
  }

  #columns(spot, move, fills) {
    const columns = Object.fromEntries(FLOAT_FIELDS.map((name) => [name, new Float32Array(ROWS)]));
    const empty = () => new Int8Array(ROWS);
    columns.k = Int32Array.from({ length: ROWS }, (_, i) => i - RADIUS);
    for (const name of BYTE_FIELDS) columns[name] = empty();
    for (const name of ["flow_state_code", "state5_code", "chase_up_flag", "chase_down_flag"]) columns[name] = empty();
    columns.best_ask_move_ticks = new Int32Array(ROWS).fill(move);
    columns.best_bid_move_ticks = new Int32Array(ROWS).fill(move);
    columns.last_event_id = new BigInt64Array(ROWS);
    columns.flow_score = new Float32Array(ROWS);
    columns.fill_size = new Float32Array(ROWS);
    for (const ms of HORIZONS_MS) columns[`proj_score_h${ms}`] = new Float32Array(ROWS);
    for (let row = 0; row < ROWS; row += 1) {
      const tick = spot + row - RADIUS;
      const [add, pull, fill] = [this.v.add[tick], this.v.pull[tick], this.v.fill[tick]];
      const pressure = add + 0.5 * Math.max(0, add - pull - fill);
      const vacuum = pull + 1.5 * fill + 0.5 * Math.max(0, pull + fill - add);
      const raw = (pressure - vacuum) / (pressure + vacuum + 1);
      const old = this.composite[tick];
      this.composite[tick] += (raw - old) * 0.12;
      const d1 = (this.composite[tick] - old) / 0.1;
      const score = Math.abs(d1) < 0.02 ? 0 : Math.tanh(d1 * 4);
      columns.v_add[row] = add;
      columns.v_pull[row] = pull;
      columns.v_fill[row] = fill;
      columns.pressure_variant[row] = pressure;
      columns.vacuum_variant[row] = vacuum;
      columns.rest_depth[row] = Math.round(this.depth[tick]);
      columns[tick > this.bid ? "ask_depth" : "bid_depth"][row] = Math.round(this.depth[tick]);
      columns.composite[row] = this.composite[tick];
      columns.composite_d1[row] = d1;
      columns.flow_score[row] = score;
      columns.flow_state_code[row] = score >= 0.15 ? 1 : score <= -0.15 ? -1 : 0;
      columns.state5_code[row] = move === 0 || row === RADIUS ? 0 : move > 0 ? (row > RADIUS ? 2 : 1) : row > RADIUS ? -1 : -2;
      columns.fill_size[row] = fills[tick];
      HORIZONS_MS.forEach((ms, i) => {
        columns[`proj_score_h${ms}`][row] = Math.max(-1, Math.min(1, score * (1 + 0.4 * i) - 0.2 * i * Math.sign(score)));
      });
    }
    return columns;
  }
}

/** Columns as one Arrow IPC stream. */
export function encode(columns) {
  const ordered = Object.fromEntries(FIELD_NAMES.map((name) => [name, columns[name]]));
  return tableToIPC(tableFromArrays(ordered, { types: TYPES }), { format: "stream" });
}
