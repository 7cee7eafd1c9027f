/** Made-up rows for the experiments page. */

import { N_BINS, START_NS, random } from "./market.mjs";

export const DATASET = "mnqh6_20260206_0925_1025__mnq_60m_baseline__0123456789ab";
const SIGNALS = ["ads", "jad", "derivative", "pfp", "ads_pfp_svac", "erd", "iirc", "msd", "spg", "gbm_mf", "svm_sp"];
const ADDRESS = "ab".repeat(32);

function wilson(hits, n) {
  const z = 1.96;
  const p = hits / n;
  const mid = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [mid - half, mid + half];
}

const EVALUATION = {
  tp_ticks: 8, sl_ticks: 4, max_hold_bins: 1200, warmup_bins: 300, cooldown_bins: 20, entry_delay_bins: 1, fill: "mid", fee_ticks: 0.25,
};

/** Share of a whole in three parts that add up. */
function outcomes(side, n, wins, timeouts) {
  return { [`n_${side}_tp`]: wins, [`n_${side}_timeout`]: timeouts, [`n_${side}_sl`]: n - wins - timeouts };
}

function row(rand, meta, threshold, n) {
  const wins = Math.round(n * (0.3 + 0.22 * rand()));
  const timeouts = Math.round(n * 0.05);
  const [low, high] = wilson(wins, n - timeouts);
  const gross = (8 * wins - 4 * (n - wins - timeouts)) / n;
  const up = Math.round(n * (0.4 + 0.2 * rand()));
  const upWins = Math.round((wins * up) / n);
  const upTimeouts = Math.round((timeouts * up) / n);
  return {
    ...meta, threshold, n_signals: n, n_up: up, n_down: n - up, n_dropped: 0,
    ...outcomes("up", up, upWins, upTimeouts), ...outcomes("down", n - up, wins - upWins, timeouts - upTimeouts), tp_rate: wins / n,
    barrier_tp_rate: wins / (n - timeouts), barrier_tp_rate_low: low, barrier_tp_rate_high: high,
    sl_rate: 1 - (wins + timeouts) / n, timeout_rate: timeouts / n, break_even_rate: 4.5 / 12, events_per_hour: n,
    median_time_to_outcome_ms: 21_400, mean_pnl_ticks: gross, net_mean_pnl_ticks: gross - 0.5,
    net_mean_low_ticks: gross - 0.5 - 12 / Math.sqrt(n), net_mean_high_ticks: gross - 0.5 + 12 / Math.sqrt(n),
    net_total_pnl_ticks: n * (gross - 0.5), sharpe: gross / 6,
    p_value: Math.min(1, 0.5 - 0.12 * gross + 0.1 * rand()), p_holm: 1, deflated_sharpe: Math.max(0, 0.2 * gross),
    can_stream: true, streaming_url: `/v1/vacuum-pressure/stream?run_id=${meta.run_id}&threshold=${threshold}`,
  };
}

const THRESHOLDS = [0.02, 0.05, 0.08, 0.1, 0.15, 0.2];

function runRows(index) {
  const rand = random(1000 + index);
  const runId = Array.from({ length: 16 }, () => Math.floor(rand() * 16).toString(16)).join("");
  const signal = SIGNALS[index % SIGNALS.length];
  const start = 300 + Math.floor(200 * rand());
  const meta = {
    run_id: runId, sweep_address: ADDRESS, experiment: "sweep_all_open", serving: "derivative_baseline", dataset_id: DATASET,
    dt: "2026-02-06", symbol: "MNQH6", signal, cooldown_bins: [20, 30][index % 2], n_trials: 384, spa_p_value: 0.47, tp_ticks: 8, sl_ticks: 4,
    parameters: { zscore_window_bins: [120, 300][index % 2], tanh_scale: 3, d2_weight: [0, 0.3][(index >> 1) % 2] }, evaluation: EVALUATION,
  };
  return THRESHOLDS.map((threshold, i) => row(rand, meta, threshold, Math.max(6, Math.round(start / (1 + i * 1.4)))));
}

const ALL = Array.from({ length: 64 }, (_, i) => runRows(i));

export function runs() {
  const all = ALL.flat();
  return { runs: all, total: all.length };
}

export function detail(runId) {
  const rows = ALL.find((group) => group[0].run_id === runId) ?? ALL[0];
  return { ...rows[0], rows, serving_spec: null, best_threshold: 0.2, can_stream: true, reason: null, yaml: null };
}

export function datasets() {
  return {
    datasets: [{
      dataset_id: DATASET, address: ADDRESS, pipeline: "mnq_60m_baseline", product_type: "future_mbo", symbol: "MNQH6", dt: "2026-02-06",
      start_time: "09:25", end_time: "10:25", start_ns: START_NS.toString(), end_ns: (START_NS + 3_600_000_000_000n).toString(),
      n_bins: N_BINS, rows: 101, bytes: 1e8, streaming_url: `/v1/vacuum-pressure/stream?dataset=${DATASET}`,
    }],
  };
}

export function serving() {
  const name = "sweep_ads_promoted_7c41e09a";
  return {
    serving: [{
      name, description: "", origin: "promoted", pipeline: "mnq_60m_baseline", signal: "ads", threshold: 0.2, can_stream: true,
      reason: null, streaming_url: `/v1/vacuum-pressure/stream?serving=${name}`,
    }],
    skipped: [],
  };
}
