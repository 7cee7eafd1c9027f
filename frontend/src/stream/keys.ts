/** Every key of the page, once: the listener, the tooltips and the list of keys (`?`) all read this table. */

export const COMMANDS = [
  { id: "toggle", group: "Replay", keys: ["Space"], text: "Pause or resume; play again after the end" },
  { id: "back", group: "Replay", keys: [","], text: "Back 30 s" },
  { id: "ahead", group: "Replay", keys: ["."], text: "Ahead 30 s" },
  { id: "slower", group: "Replay", keys: ["<"], text: "Slower" },
  { id: "faster", group: "Replay", keys: [">"], text: "Faster" },
  { id: "start", group: "Replay", keys: ["Home"], text: "To the capture's start" },
  { id: "reconnect", group: "Replay", keys: ["r"], text: "Connect again" },
  { id: "follow", group: "Map", keys: ["f"], text: "Follow now (also double click)" },
  { id: "whole", group: "Map", keys: ["w"], text: "The whole session" },
  { id: "left", group: "Map", keys: ["ArrowLeft"], text: "Crosshair a bin back (Shift: ten)" },
  { id: "right", group: "Map", keys: ["ArrowRight"], text: "Crosshair a bin on; paused at now: one more bin" },
  { id: "up", group: "Map", keys: ["ArrowUp"], text: "Crosshair a tick up (Shift: ten)" },
  { id: "down", group: "Map", keys: ["ArrowDown"], text: "Crosshair a tick down" },
  { id: "timeIn", group: "Map", keys: ["+", "="], text: "Zoom time in (also wheel)" },
  { id: "timeOut", group: "Map", keys: ["-"], text: "Zoom time out" },
  { id: "priceIn", group: "Map", keys: ["]"], text: "Zoom price in (also Shift and wheel)" },
  { id: "priceOut", group: "Map", keys: ["["], text: "Zoom price out" },
  { id: "layer1", group: "Layers", keys: ["1"], text: "Pressure − vacuum" },
  { id: "layer2", group: "Layers", keys: ["2"], text: "Composite" },
  { id: "layer3", group: "Layers", keys: ["3"], text: "Flow score" },
  { id: "layer4", group: "Layers", keys: ["4"], text: "Resting depth" },
  { id: "layer5", group: "Layers", keys: ["5"], text: "Added" },
  { id: "layer6", group: "Layers", keys: ["6"], text: "Pulled" },
  { id: "layer7", group: "Layers", keys: ["7"], text: "Filled" },
  { id: "fields", group: "Layers", keys: ["a"], text: "All fields" },
  { id: "log", group: "Layers", keys: ["l"], text: "Linear or log colours" },
  { id: "palette", group: "Layers", keys: ["c"], text: "Next palette" },
  { id: "strip", group: "Page", keys: ["s"], text: "Next trace under the map" },
  { id: "panel", group: "Page", keys: ["p"], text: "Readings at the right" },
  { id: "view", group: "Page", keys: ["v"], text: "View: colours and what is shown" },
  { id: "theme", group: "Page", keys: ["t"], text: "Dark, light, as the system" },
  { id: "help", group: "Page", keys: ["?"], text: "These keys" },
  { id: "close", group: "Page", keys: ["Escape"], text: "Close, or put the crosshair away" },
] as const;

export type CommandId = (typeof COMMANDS)[number]["id"];
/** Commands of the arrow keys. */
const ARROWS: Partial<Record<CommandId, true>> = { left: true, right: true, up: true, down: true };

export type KeyHandlers = Record<CommandId, (event: KeyboardEvent) => void>;

const NAMES: Record<string, string> = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", "-": "−",
};

/** A key as it is printed: "Space", "F", "←". */
export function keyName(key: string): string {
  return NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/** Tooltip of a control: what it does and its key. */
export function hint(id: CommandId, text?: string): string {
  const command = COMMANDS.find((entry) => entry.id === id);
  return command ? `${text ?? command.text} (${keyName(command.keys[0])})` : (text ?? "");
}

/** The command of a key press, undefined where the press belongs to somebody else. */
export function commandOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">): CommandId | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const pressed = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return COMMANDS.find(({ keys }) => (keys as readonly string[]).includes(pressed))?.id;
}

/**
 * Listen on the whole page. Fields that take text keep their keys, buttons keep Space and Enter, and the theme's key is
 * heard by its own button.
 */
export function listenKeys(handlers: KeyHandlers): void {
  // A button that was clicked keeps no focus: the next Space is the page's again. Tab still finds it.
  window.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target instanceof Element) event.target.closest("button")?.blur();
  });
  window.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const id = commandOf(event);
    if (!id || id === "theme") return;
    if (id !== "close" && target?.closest("input[type=text], input[type=search], select, textarea")) return;
    if (id === "toggle" && target?.closest("button, a, input, [role=slider]")) return;
    // Arrows move between the choices of a menu.
    if (id in ARROWS && target?.closest("input")) return;
    if (target?.closest("[role=slider]") && (id === "left" || id === "right" || id === "start")) return;
    event.preventDefault();
    handlers[id](event);
  });
}
