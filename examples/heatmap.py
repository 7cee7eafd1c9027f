# %% [markdown]
# A minute of the stream as a heatmap: pressure minus vacuum by price and time, with both quotes and the trades.
#
#     make demo SERVE=0 && vp-serve &
#     python examples/heatmap.py [target.png] [url]
#
# In a notebook, run the cells; where an event loop runs already, `await minute()` replaces `asyncio.run(minute())`.

# %%
import asyncio
import sys
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import AsinhNorm, LinearSegmentedColormap

from vp_engine.units import ns_to_et
from vp_serving.client import Bin, StreamClient, StreamError

TARGET, URL, SERVING = "heatmap.png", "http://127.0.0.1:8002", "derivative_demo"
FROM_BIN, BINS = 600, 600  # the second minute after the opening bell
MINUS, ZERO = ("#EDB067", "#C07432", "#914D1C", "#633218", "#3A2014"), "#12151A"
PLUS = ("#192840", "#21416D", "#2D649E", "#478FCA", "#7FC8F3")
LARGE_LOTS = 20  # traded in one bin
LINEAR_WIDTH = 1.5  # lots/s: below it the colour scale is linear, above it logarithmic


# %%
async def minute(url: str = URL, serving: str = SERVING, from_bin: int = FROM_BIN) -> tuple[dict[str, Any], list[Bin]]:
    """What is streamed, and its bins, as fast as they come."""
    async with StreamClient(url, serving=serving, speed=0, from_bin=from_bin) as stream:
        bins = [await anext(stream) for _ in range(min(BINS, stream.config["capture"]["n_bins"] - from_bin))]
    return stream.config, bins


# %%
def prices_by_time(config: dict[str, Any], bins: list[Bin]) -> tuple[np.ndarray, np.ndarray]:
    """Pressure minus vacuum on fixed prices: (prices, bins), NaN where a bin's grid does not reach; prices in ticks.

    Rows of a bin count from its spot, so each bin is shifted to where its spot stands.
    """
    spots = np.array([found.update["spot_ref_price_int"] // config["tick_int"] for found in bins])
    radius, lowest = config["grid_radius_ticks"], spots.min() - config["grid_radius_ticks"]
    image = np.full((spots.max() + radius - lowest + 1, len(bins)), np.nan)
    for at, (spot, (_, table)) in enumerate(zip(spots, bins, strict=True)):
        rows = spot - radius - lowest + np.arange(config["grid_rows"])
        image[rows, at] = table["pressure_variant"].to_numpy() - table["vacuum_variant"].to_numpy()
    return image, np.arange(lowest, lowest + len(image))


def draw(config: dict[str, Any], bins: list[Bin]) -> plt.Figure:
    """The picture."""
    image, ticks = prices_by_time(config, bins)
    updates = [found.update for found in bins]
    tick_size = config["tick_size"]
    times = mdates.date2num([ns_to_et(update["ts_ns"]).replace(tzinfo=None) for update in updates])
    limit = float(np.nanpercentile(np.abs(image), 99))
    norm = AsinhNorm(LINEAR_WIDTH, -limit, limit)
    colours = LinearSegmentedColormap.from_list("force", (*MINUS, ZERO, *PLUS)).with_extremes(bad=ZERO)

    figure, axes = plt.subplots(figsize=(12, 6.5), layout="constrained")
    extent = (times[0], times[-1], (ticks[0] - 0.5) * tick_size, (ticks[-1] + 0.5) * tick_size)
    shown = axes.imshow(image, colours, norm, aspect="auto", origin="lower", extent=extent, interpolation="none")
    for name, colour in (("best_bid_price_int", "#BFE3F9"), ("best_ask_price_int", "#F9DAB0")):
        quote = np.array([update[name] if update["book_valid"] else np.nan for update in updates], float) / 1e9
        axes.step(times, quote, where="post", color="#0A0C10", linewidth=3)
        axes.step(times, quote, where="post", color=colour, linewidth=1.2, label=name.split("_")[1])
    mids = np.array([update["mid_price"] if update["book_valid"] else np.nan for update in updates])
    for name, colour, label in (("buy_volume", "#C4E7FB", "bought"), ("sell_volume", "#FBDDB4", "sold")):
        lots = np.array([update[name] for update in updates])
        large = lots >= LARGE_LOTS
        axes.scatter(
            times[large], mids[large], 2.5 * lots[large], colour, edgecolors="#0A0C10", linewidths=1, zorder=3,
            label=f"{label}, {LARGE_LOTS} lots and more",
        )  # fmt: skip

    axes.set_ylim(np.nanmin(mids) - 20 * tick_size, np.nanmax(mids) + 20 * tick_size)
    axes.xaxis.set_major_locator(mdates.SecondLocator(range(0, 60, 10)))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M:%S"))
    axes.set_title(f"{config['symbol']}, {config['capture']['dt']}: pressure minus vacuum")
    axes.set_xlabel("Eastern time")
    axes.set_ylabel("price, $")
    axes.legend(loc="upper left", fontsize=8, facecolor="#1B1F27", edgecolor="#353C48", labelcolor="#E8EAEE")
    figure.colorbar(shown, label="lots/s", ticks=[-limit, -LINEAR_WIDTH, 0, LINEAR_WIDTH, limit], format="%.1f")
    return figure


# %%
if __name__ == "__main__":
    target, url = [*sys.argv[1:], *(TARGET, URL)[len(sys.argv) - 1 :]]
    try:
        draw(*asyncio.run(minute(url))).savefig(target, dpi=110)
    except StreamError as error:
        sys.exit(f"heatmap: {error}")
    print(f"wrote {target}")
