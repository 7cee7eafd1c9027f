/** The stream page: one model, one client, one drawing loop that runs only when something changed. */

import { HeatmapError, maxColumns } from "./gl/heatmap";
import { el, setHidden } from "./lib/dom";
import { PALETTES, choosePalette, nextPalette } from "./lib/palettes";
import { type Part, STRIP_CHOICES, type StripChoice, keptElsewhere, loadPrefs, savePrefs } from "./lib/prefs";
import { fromBinOf, namesTarget } from "./lib/query";
import { SESSION_POINTS } from "./lib/session";
import { onTheme } from "./lib/theme";
import { HealthPanel, SignalPanel } from "./panel/signal";
import { StatePanel } from "./panel/stateModel";
import { apiToken, getDatasets, getOverview, getServing, pickStream } from "./stream/api";
import { StreamClient, type Phase, browserEnvironment } from "./stream/client";
import { keyHandlers } from "./stream/commands";
import { listenPointer } from "./stream/input";
import { hint, listenKeys } from "./stream/keys";
import { Model } from "./stream/model";
import { Player } from "./stream/player";
import { Frames, type Motion } from "./view/frames";
import { Help } from "./view/help";
import { type Layer, layerById } from "./view/layers";
import { Plot } from "./view/plot";
import { Speech } from "./view/speech";
import { NOTHING_CARD, States, cannotAskCard, connectingCard } from "./view/states";
import { StrokeKey, Tools } from "./view/tools";
import { TopBar } from "./view/topbar";
import { Transport } from "./view/transport";
import { ViewMenu } from "./view/viewMenu";

const HISTORY_BINS = 6000;
const RETRY_MS = 4000;
/** Ages, rates and retry counts move without bins, this often. */
const AGES_MS = 500;
/** Between frames while a seek fetches its past. */
const FETCHING_REST_MS = 300;
/** Readings change this often at most: nobody reads faster, and the map needs the time. */
const READINGS_MS = 90;

class StreamPage {
  readonly #prefs = loadPrefs();
  readonly #model: Model;
  readonly #top = new TopBar();
  readonly #view: ViewMenu;
  readonly #tools: Tools;
  readonly #plot: Plot;
  readonly #key = new StrokeKey();
  readonly #help = new Help();
  readonly #state = new StatePanel();
  readonly #signal = new SignalPanel();
  readonly #health = new HealthPanel();
  readonly #panel: HTMLElement;
  readonly #corner: HTMLElement;
  readonly #transport: Transport;
  readonly #states: States;
  readonly #speech: Speech;
  readonly #player: Player;
  readonly #frames = new Frames((now) => this.#render(now));
  /** When the readings were last drawn, and whether something else than bins has changed since. */
  #readAt = 0;
  #changed = true;
  #reading = 0;
  #logOf = new Map<string, boolean>();

  constructor(root: HTMLElement) {
    const query = new URLSearchParams(window.location.search);
    choosePalette(this.#prefs.palette);
    this.#model = new Model(maxColumns(HISTORY_BINS));
    const layer = layerById(query.get("layer"));
    const wake = (): void => this.#wake();
    this.#plot = new Plot(this.#model, layer, this.#prefs, wake);
    if (query.has("scale")) this.#plot.setLayer(layer, query.get("scale") === "log");
    this.#states = new States(this.#plot.overlay);
    this.#player = new Player(this.#model, this.#plot.camera, wake);
    const player = this.#player;
    this.#speech = new Speech(this.#states, this.#model, {
      retry: () => player.client?.start(),
      restart: () => player.client?.restart(),
      speed: (speed) => this.#setSpeed(speed),
      jump: (seconds) => player.jump(seconds),
    });
    this.#view = new ViewMenu(this.#prefs, {
      onPalette: (id) => this.#setPalette(id),
      onStrip: (choice) => this.#setStrip(choice),
      onPart: (part, shown) => this.#setPart(part, shown),
      onLeave: () => this.#plot.field.focus(),
    });
    this.#tools = new Tools(
      { onLayer: (chosen) => this.#setLayer(chosen), onLog: (log) => this.#setLog(log), onFollow: () => this.#follow(), onLeave: () => this.#plot.field.focus() },
      this.#view.button,
    );
    this.#transport = new Transport(
      {
        onToggle: () => player.toggle(),
        onSpeed: (speed) => this.#setSpeed(speed),
        onJump: (seconds) => player.jump(seconds),
        onSeek: (seq) => player.seek(seq),
      },
      this.#key.root,
    );
    this.#corner = el("button", { type: "button", class: "button corner", title: hint("follow"), onclick: () => this.#follow() }, "Now ▸");
    this.#plot.field.append(this.#corner);
    const chart = el("main", { class: "chart" }, this.#tools.root, this.#plot.root, this.#transport.root, this.#view.root, this.#tools.fields.root, this.#help.root);
    this.#panel = el("aside", { class: "panel", "aria-label": "Readings" }, el("div", { class: "panel-scroll" }, this.#state.root, this.#signal.root), this.#health.root);
    root.replaceChildren(this.#top.root, el("div", { class: "columns" }, chart, this.#panel));
    this.#top.root.append(
      el("button", { type: "button", class: "theme-button", title: hint("help"), "aria-label": hint("help"), onclick: () => this.#help.toggle() }, "?"),
    );
    listenPointer(this.#plot, this.#model, { changed: wake, follow: () => this.#follow() });
    listenKeys(
      keyHandlers(this.#plot, this.#model, {
        wake, player, follow: () => this.#follow(), setSpeed: (speed) => this.#setSpeed(speed), setLayer: (chosen) => this.#setLayer(chosen),
        setLog: (log) => this.#setLog(log), fields: this.#tools.fields,
        palette: () => this.#setPalette(nextPalette(this.#prefs.palette || PALETTES[0].id).id),
        strip: () => this.#setStrip(STRIP_CHOICES[(STRIP_CHOICES.indexOf(this.#prefs.strip) + 1) % STRIP_CHOICES.length]),
        panel: () => this.#setPart("panel", !this.#prefs.show.panel), view: this.#view, help: this.#help,
      }),
    );
    new ResizeObserver(wake).observe(this.#plot.root);
    document.fonts.ready.then(wake);
    onTheme(wake);
    keptElsewhere((prefs) => {
      Object.assign(this.#prefs, prefs);
      choosePalette(prefs.palette);
      this.#view.render();
    });
    window.setInterval(() => {
      if (this.#ages(performance.now())) this.#wake();
    }, AGES_MS);
    Object.assign(window, { vacuumPressure: { view: () => this.#describe() } });
    void this.#begin(query);
  }

  /** What the map shows, for tests and for the curious at the console. */
  #describe(): object {
    const { camera, scale, layer, cell, uploaded } = this.#plot;
    const { right, center, pxPerBin, pxPerTick, width, height, follow } = camera;
    const { first, last } = this.#model.bins ?? { first: -1, last: -1 };
    return {
      camera: { right, center, pxPerBin, pxPerTick, width, height, follow }, scale: { ...scale }, field: layer.field, cell,
      dataset: this.#model.config?.dataset_id ?? null,
      first, last, uploaded, frames: this.#frames.costs(), drawn: this.#frames.drawn, settled: this.#frames.settled,
      received: this.#model.health.received, dropped: this.#model.health.dropped, firings: this.#model.firings,
      spentMs: this.#player.client?.spentMs ?? 0,
    };
  }

  /** Stream what the address names; without a name, the best there is. */
  async #begin(query: URLSearchParams): Promise<void> {
    if (namesTarget(query)) {
      this.#connect(query);
      return;
    }
    this.#speech.card = connectingCard(window.location.host, 1, null);
    this.#wake();
    try {
      const [specs, datasets] = await Promise.all([getServing(), getDatasets()]);
      const picked = pickStream(specs.serving, datasets.datasets);
      if (picked) {
        for (const [key, value] of query) picked.append(key, value);
        history.replaceState(null, "", `?${picked.toString()}`);
        this.#connect(picked);
      } else this.#speech.card = NOTHING_CARD;
    } catch (error) {
      const again = (): void => void this.#begin(query);
      const { card, retry } = cannotAskCard(error, window.location.host, RETRY_MS, again);
      this.#speech.card = card;
      if (retry) window.setTimeout(again, RETRY_MS);
    }
    this.#wake();
  }

  #connect(query: URLSearchParams): void {
    const model = this.#model;
    const player = this.#player;
    player.client = new StreamClient(
      query,
      apiToken(),
      {
        onPhase: (phase) => this.#onPhase(phase),
        onConfig: (config) => {
          if (!model.begin(config)) {
            this.#plot.reset();
            this.#learnSession(config.dataset_id);
          }
          document.title = `${config.symbol} · Vacuum Pressure`;
          this.#wake();
        },
        onWarming: (warming) => {
          this.#speech.warming(warming);
          this.#wake();
        },
        onBin: (update, grid) => {
          this.#speech.warming(null);
          if (!player.wants(update.bin_seq)) return;
          const now = performance.now();
          const { slot, column, rewound } = model.add(update, grid, now);
          this.#plot.added(slot, column, rewound);
          if (update.dropped > 0) this.#speech.dropped(update.dropped, now);
          this.#frames.wake();
        },
        onComplaint: (error) => {
          player.giveUp();
          this.#speech.complaint(error, performance.now());
          this.#wake();
        },
      },
      browserEnvironment(),
    );
    const opened = fromBinOf(query);
    if (opened !== null) player.expectAt(opened);
    player.client.start();
  }

  /** Mid and volume of the whole capture for the session bar, where a dataset has them. */
  #learnSession(dataset: string | null): void {
    if (!dataset) return;
    const { session } = this.#model;
    getOverview(dataset, SESSION_POINTS).then(
      (overview) => {
        session.fill(overview);
        this.#wake();
      },
      () => undefined, // the bar then shows what is received
    );
  }

  #onPhase(phase: Phase): void {
    this.#speech.phase(phase, performance.now());
    this.#player.phase(phase);
    // After the end nothing lies ahead.
    if (this.#player.ended) this.#model.projections = [];
    if (phase.name === "refused") {
      getDatasets().then(
        ({ datasets }) => {
          this.#speech.datasets = datasets;
          this.#wake();
        },
        () => undefined,
      );
    }
    this.#wake();
  }

  #setSpeed(speed: number): void {
    this.#speech.forgive();
    this.#player.setSpeed(speed);
  }

  #follow(): void {
    this.#plot.camera.followNow(this.#model.spotTick);
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

  #setPalette(id: string): void {
    this.#prefs.palette = id;
    choosePalette(id);
    this.#kept();
  }

  #setStrip(choice: StripChoice): void {
    this.#prefs.strip = choice;
    this.#kept();
  }

  #setPart(part: Part, shown: boolean): void {
    this.#prefs.show[part] = shown;
    this.#kept();
  }

  #kept(): void {
    savePrefs(this.#prefs);
    this.#view.render();
    this.#wake();
  }

  /** Something on the page grows older by itself. A page at rest draws nothing. */
  #ages(now: number): boolean {
    return this.#speech.ages(now) || (this.#player.live && this.#model.health.stirs(now));
  }

  /** Draw everything soon: something else than a bin has changed. */
  #wake(): void {
    this.#changed = true;
    this.#frames.wake();
  }

  #render(now: number): Motion {
    const model = this.#model;
    const plot = this.#plot;
    const { paused, live, speed, seeking } = this.#player;
    plot.paused = paused || !live;
    setHidden(this.#panel, !this.#prefs.show.panel);
    this.#speech.render(now, { paused, speed, seeking, lost: plot.lost }, plot.camera);
    this.#frames.restMs = seeking === null ? 0 : FETCHING_REST_MS;
    const motion = plot.render(now);
    setHidden(this.#corner, plot.camera.follow || model.last < 0);
    this.#tools.render(plot.layer, plot.scale, plot.camera.follow, model.last >= 0);
    this.#key.render(plot.leastLots, this.#prefs.show.key);
    const due = READINGS_MS - (now - this.#readAt);
    if (this.#changed || due <= 0) this.#readings(now);
    else if (this.#reading === 0) this.#reading = window.setTimeout(() => this.#readings(performance.now()), due);
    return motion;
  }

  /** The figures around the map. */
  #readings(now: number): void {
    const model = this.#model;
    const { paused, live, ended, speed } = this.#player;
    this.#readAt = now;
    this.#changed = false;
    window.clearTimeout(this.#reading);
    this.#reading = 0;
    this.#top.render(model, live || ended || model.last < 0 ? 0 : now - model.health.arrivedAt);
    if (this.#prefs.show.panel) {
      this.#state.render(model);
      this.#signal.render(model);
      this.#health.render(model, now, live && !paused);
    }
    this.#transport.render(model, { paused, live, speed, ended, view: this.#plot.camera.seqSpan });
    this.#states.warming(model, live);
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
