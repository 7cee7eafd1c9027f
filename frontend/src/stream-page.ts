/** The stream page: one model, one client, one drawing loop that runs only when something changed. */

import "./styles/tokens.css";
import "./styles/controls.css";
import "./styles/stream.css";
import { HeatmapError, maxColumns } from "./gl/heatmap";
import { etTime } from "./lib/clock";
import { el } from "./lib/dom";
import { namesTarget } from "./lib/query";
import { onTheme } from "./lib/theme";
import { HealthPanel, SignalPanel } from "./panel/signal";
import { StatePanel } from "./panel/stateModel";
import { ApiError, apiToken, getDatasets, getServing, pickStream } from "./stream/api";
import { type Phase, StreamClient, browserEnvironment } from "./stream/client";
import { listenKeys, listenPointer } from "./stream/input";
import { Model } from "./stream/model";
import { type Layer, layerById } from "./view/layers";
import { Plot } from "./view/plot";
import {
  type Card, NOTHING_CARD, States, connectingCard, errorCard, lagNotice, pausedNotice, unreachableCard,
} from "./view/states";
import { Tools, strokeKey } from "./view/tools";
import { TopBar } from "./view/topbar";
import { Transport } from "./view/transport";
import type { DatasetEntry, StreamError } from "./wire.generated";

const HISTORY_BINS = 6000;
const NOTICE_MS = 10_000;
const FRAME_MS = 17;
/** Frames rest for this many times their cost, up to a limit. */
const FRAME_COSTS = 1.5;
const MAX_REST_MS = 250;

class StreamPage {
  readonly #model: Model;
  readonly #top = new TopBar();
  readonly #tools: Tools;
  readonly #plot: Plot;
  readonly #state = new StatePanel();
  readonly #signal = new SignalPanel();
  readonly #health = new HealthPanel();
  readonly #transport: Transport;
  readonly #states: States;
  #client: StreamClient | null = null;
  #phase: Phase = { name: "idle" };
  #phaseAt = 0;
  #card: Card | null = null;
  #lag: { bins: number; at: number } | null = null;
  /** Where a seek goes, until a bin from there comes. */
  #seeking: { seq: number; from: number } | null = null;
  #complaint: { error: StreamError; at: number } | null = null;
  #datasets: DatasetEntry[] = [];
  #waiting = false;
  #nextFrame = 0;
  #logOf = new Map<string, boolean>();

  constructor(root: HTMLElement) {
    const query = new URLSearchParams(window.location.search);
    this.#model = new Model(maxColumns(HISTORY_BINS));
    const layer = layerById(query.get("layer"));
    this.#plot = new Plot(this.#model, layer, strokeKey(), () => this.#wake());
    if (query.has("scale")) this.#plot.setLayer(layer, query.get("scale") === "log");
    this.#states = new States(this.#plot.overlay);
    this.#tools = new Tools({
      onLayer: (chosen) => this.#setLayer(chosen),
      onLog: (log) => this.#setLog(log),
      onFollow: () => this.#follow(),
    });
    this.#transport = new Transport({
      onToggle: () => this.#toggle(),
      onSpeed: (speed) => this.#setSpeed(speed),
      onJump: (seconds) => this.#seek(this.#model.ring?.last ?? 0, Math.round((seconds * 1000) / this.#model.binMs)),
      onSeek: (seq) => this.#seek(seq, 0),
      onReconnect: () => this.#client?.start(),
    });
    const chart = el("main", { class: "chart" }, this.#tools.root, this.#plot.root, this.#transport.root);
    const panel = el("aside", { class: "panel", "aria-label": "Readings" }, this.#state.root, this.#signal.root, this.#health.root);
    root.append(this.#top.root, el("div", { class: "columns" }, chart, panel));
    const handlers = {
      changed: () => this.#wake(),
      toggle: () => this.#toggle(),
      follow: () => this.#follow(),
      layer: (chosen: Layer) => this.#setLayer(chosen),
      log: () => this.#setLog(!this.#plot.scale.log),
      step: () => {
        if (!this.#client?.paused || this.#phase.name !== "live") return false;
        this.#seek(this.#model.ring?.last ?? 0, 1);
        return true;
      },
    };
    listenPointer(this.#plot, this.#model, handlers);
    listenKeys(this.#plot, this.#model, handlers);
    new ResizeObserver(() => this.#wake()).observe(this.#plot.root);
    document.fonts.ready.then(() => this.#wake());
    onTheme(() => this.#wake());
    // Ages, rates and retry counts move without bins.
    window.setInterval(() => this.#wake(), 500);
    void this.#begin(query);
  }

  /** Stream what the address names; without a name, the best there is. */
  async #begin(query: URLSearchParams): Promise<void> {
    if (namesTarget(query)) {
      this.#connect(query);
      return;
    }
    this.#card = connectingCard(window.location.host, 1, null);
    this.#wake();
    try {
      const [specs, datasets] = await Promise.all([getServing(), getDatasets()]);
      this.#datasets = datasets.datasets;
      const picked = pickStream(specs.serving, datasets.datasets);
      if (!picked) {
        this.#card = NOTHING_CARD;
        this.#wake();
        return;
      }
      for (const [key, value] of query) picked.append(key, value);
      history.replaceState(null, "", `?${picked.toString()}`);
      this.#connect(picked);
    } catch (error) {
      this.#cannotAsk(error, query);
    }
  }

  #cannotAsk(error: unknown, query: URLSearchParams): void {
    const again = (): void => void this.#begin(query);
    if (error instanceof ApiError && error.status !== 0 && error.code !== "unreachable") {
      const code = error.status === 401 ? "unauthorized" : "error";
      this.#card = errorCard({ type: "error", code, message: error.message, parameter: null }, error.status, [], again);
    } else {
      this.#card = unreachableCard(window.location.host, 4000, again);
      window.setTimeout(again, 4000);
    }
    this.#wake();
  }

  #connect(query: URLSearchParams): void {
    this.#client = new StreamClient(
      query,
      apiToken(),
      {
        onPhase: (phase) => this.#onPhase(phase),
        onConfig: (config) => {
          if (!this.#model.begin(config)) this.#plot.reset();
          document.title = `${config.symbol} · Vacuum Pressure`;
          this.#wake();
        },
        onBin: (update, grid) => {
          const now = performance.now();
          if (this.#seeking && this.#arrivedAt(update.bin_seq, this.#seeking)) this.#seeking = null;
          const slot = this.#model.add(update, grid, now);
          this.#plot.added(slot, update.bin_seq);
          if (update.dropped > 0) {
            const recent = this.#lag && now - this.#lag.at < NOTICE_MS ? this.#lag.bins : 0;
            this.#lag = { bins: recent + update.dropped, at: now };
          }
          this.#wake();
        },
        onComplaint: (error) => {
          this.#seeking = null;
          this.#complaint = { error, at: performance.now() };
          this.#wake();
        },
      },
      browserEnvironment(),
    );
    this.#client.start();
  }

  #onPhase(phase: Phase): void {
    this.#phase = phase;
    this.#phaseAt = performance.now();
    if (phase.name !== "live") this.#seeking = null;
    // After the end nothing lies ahead.
    if (phase.name === "ended") this.#model.projections = [];
    if (phase.name === "refused") {
      this.#datasets = [];
      getDatasets().then(
        (body) => {
          this.#datasets = body.datasets;
          this.#wake();
        },
        () => undefined,
      );
    }
    this.#wake();
  }

  #toggle(): void {
    const client = this.#client;
    if (!client) return;
    if (this.#phase.name === "ended") client.restart();
    else if (this.#phase.name !== "live") return;
    else if (client.paused) {
      client.resume();
      this.#model.health.restart(client.speed);
    } else client.pause();
    this.#wake();
  }

  #setSpeed(speed: number): void {
    this.#client?.setSpeed(speed);
    this.#model.health.restart(speed);
    this.#lag = null;
    this.#wake();
  }

  #seek(seq: number, by: number): void {
    const { config, session } = this.#model;
    if (!config || !this.#client) return;
    const to = Math.min(session.nBins - 1, Math.max(0, seq + by));
    this.#seeking = { seq: to, from: this.#model.ring?.last ?? 0 };
    this.#client.seek(BigInt(config.capture.start_ns) + BigInt(to) * BigInt(Math.round(this.#model.binMs * 1e6)), to);
    this.#model.health.restart(this.#client.speed);
    this.#plot.camera.follow = true;
    this.#wake();
  }

  /** Bins that were already under way do not end a seek: the first beyond its target, seen from its start, does. */
  #arrivedAt(seq: number, seeking: { seq: number; from: number }): boolean {
    return seeking.seq >= seeking.from ? seq >= seeking.seq : seq < seeking.from && seq >= seeking.seq;
  }

  #follow(): void {
    const { camera } = this.#plot;
    camera.follow = true;
    const spot = this.#model.spotTick;
    if (spot !== null) camera.center = spot;
    this.#wake();
  }

  #setLayer(layer: Layer): void {
    this.#plot.setLayer(layer, this.#logOf.get(layer.id) ?? layer.log);
    this.#wake();
  }

  #setLog(log: boolean): void {
    const { layer } = this.#plot;
    this.#logOf.set(layer.id, log);
    this.#plot.setLayer(layer, log);
    this.#wake();
  }

  /** Draw soon. On a machine that cannot draw every frame, bins come first: frames rest for what they cost. */
  #wake(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const draw = (): number =>
      requestAnimationFrame((now) => {
        const start = performance.now();
        this.#waiting = false;
        this.#render(now);
        // The next task runs once the frame is handed over, which without a graphics card takes longer than drawing.
        window.setTimeout(() => {
          const cost = performance.now() - start;
          this.#nextFrame = performance.now() + (cost > FRAME_MS ? Math.min(MAX_REST_MS, FRAME_COSTS * cost) : 0);
        });
      });
    const rest = this.#nextFrame - performance.now();
    if (rest > FRAME_MS / 2) window.setTimeout(draw, rest);
    else draw();
  }

  #render(now: number): void {
    const model = this.#model;
    const plot = this.#plot;
    const live = this.#phase.name === "live";
    const paused = live && (this.#client?.paused ?? false);
    plot.paused = paused || this.#phase.name === "ended";
    this.#speak(now, paused);
    const moving = plot.render(now);
    this.#top.render(model);
    this.#tools.render(plot.layer, plot.scale, plot.camera.follow, (model.ring?.last ?? -1) >= 0);
    this.#state.render(model);
    this.#signal.render(model);
    this.#health.render(model, now, live && !paused);
    this.#transport.render(model, {
      paused, live, speed: this.#client?.speed ?? 1, ended: this.#phase.name === "ended", view: plot.camera.seqSpan,
    });
    this.#states.warming(model, live);
    if (moving) this.#wake();
  }

  /** Say what state the stream is in: a card while there is no map or no way on, else a notice. */
  #speak(now: number, paused: boolean): void {
    const phase = this.#phase;
    const client = this.#client;
    const states = this.#states;
    const host = window.location.host;
    const hasMap = (this.#model.ring?.last ?? -1) >= 0;
    const retry = (): void => client?.start();
    let card = this.#card;
    if (phase.name !== "idle") card = null;
    if (phase.name === "connecting") {
      const left = phase.retryInMs === null ? null : Math.max(0, phase.retryInMs - (now - this.#phaseAt));
      if (phase.exhausted) card = unreachableCard(host, left, retry);
      else if (!hasMap) card = connectingCard(host, phase.attempt, left);
      else {
        const next = left === null ? "Trying now." : `Trying again in ${Math.ceil(left / 1000)} s.`;
        states.notice(`lost ${next}`, "Connection lost", `The map waits at its last bin. ${next}`, "error", { label: "Retry now", run: retry });
      }
    } else if (phase.name === "refused") {
      card = errorCard(phase.error, phase.closeCode, this.#datasets, () => client?.restart());
    }
    states.card(card);
    if (card || (phase.name === "live" && !hasMap)) states.notice("", "", "");
    if (card || phase.name === "connecting") return;
    if (phase.name === "ended") {
      const { bins, dropped } = phase.end;
      const lost = dropped > 0 ? `, ${dropped.toLocaleString("en-US")} of them dropped` : "";
      states.notice("ended", "Replay ended", `${bins.toLocaleString("en-US")} bins${lost}`, "", {
        label: "Play again", run: () => client?.restart(),
      });
    } else if (this.#seeking) {
      states.notice("seeking", "Going to", `${etTime(this.#model.timeOf(this.#seeking.seq))}, the service replays up to there.`, "row");
    } else if (this.#complaint && now - this.#complaint.at < NOTICE_MS) {
      states.notice("complaint", "The service ignored that", this.#complaint.error.message, "warn");
    } else if (paused) pausedNotice(states, this.#model);
    else if (this.#lag && now - this.#lag.at < NOTICE_MS) {
      lagNotice(states, this.#lag.bins, client?.speed ?? 1, (speed) => this.#setSpeed(speed));
    } else states.notice("", "", "");
  }
}

const root = document.getElementById("app");
if (root) {
  try {
    new StreamPage(root);
  } catch (error) {
    if (!(error instanceof HeatmapError)) throw error;
    root.replaceChildren(el("div", { class: "card fatal", role: "alert" }, el("h2", {}, "The map cannot be drawn"), el("p", {}, error.message)));
  }
}
