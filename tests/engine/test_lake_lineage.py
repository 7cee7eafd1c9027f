"""What was made of what, from manifests; deleting one thing leaves the rest whole."""

import pytest
from lake_kit import dbn_file, small_capture, small_config, write_random

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.state import new_book
from vp_engine.errors import ConfigError
from vp_engine.lake import Lake, import_raw, list_datasets, paths
from vp_engine.lake.books import write_book
from vp_engine.lake.lineage import BOOK, CAMPAIGN, DATASET, RAW, Lineage, delete, inventory
from vp_engine.specs import load_instrument


@pytest.fixture
def lake(tmp_path):
    """A raw day, a book, two datasets of which one knows both, and a campaign over the first."""
    lake = Lake(tmp_path / "lake")
    raw = import_raw(lake, load_instrument(), dbn_file(tmp_path / "a.dbn")).manifest
    write_book(lake, small_capture(small_config()), "b" * 64, BookCheckpoint.of(new_book(64)), [raw.address])
    write_random(lake, inputs={"book": "b" * 64, "raw": [raw.address]})
    write_random(lake, seed=2, address="f" * 64, inputs={"book": "c" * 64, "raw": ["d" * 64]})
    index = {"address": "e" * 64, "datasets": [{"dataset_address": list_datasets(lake)[0].address}]}
    lake.commit_document(lake.path(paths.campaign_path("gold", "e" * 64)), index)
    return lake


def test_everything_is_found_in_order_of_kind(lake):
    held = inventory(lake)
    assert [thing.kind for thing in held.things] == [RAW, BOOK, DATASET, DATASET, CAMPAIGN]
    assert all(thing.bytes > 0 and thing.written is not None for thing in held.things)
    assert all(path.exists() for thing in held.things for path in thing.paths)


def test_inputs_lead_down_and_users_up(lake):
    held = inventory(lake)
    raw, book, known, orphan, campaign = held.things
    assert held.find(raw.address[:12]) is raw
    assert held.users(book) == [known]
    assert held.dependents(raw) == [book, known, campaign]
    assert held.users(campaign) == []
    assert held.missing(known) == []
    assert held.missing(orphan) == ["c" * 64, "d" * 64]
    assert held.roots(campaign) == [raw]
    assert held.roots(orphan) is None


def test_a_dataset_whose_book_is_gone_can_be_made_again(lake):
    held = inventory(lake)
    without_book = Lineage(thing for thing in held.things if thing.kind != BOOK)
    (known,) = (thing for thing in without_book.of_kind(DATASET) if without_book.roots(thing) is not None)
    assert without_book.missing(known) == ["b" * 64]


def test_deleting_takes_one_thing_alone(lake):
    held = inventory(lake)
    raw, book, known, orphan, _ = held.things
    assert delete(lake, known) == known.bytes
    assert [info.dataset_id for info in list_datasets(lake)] == [orphan.name]
    assert delete(lake, book) == book.bytes
    assert [thing.kind for thing in inventory(lake).things] == [RAW, DATASET, CAMPAIGN]
    assert delete(lake, known) == known.bytes  # somebody else was first
    with pytest.raises(ConfigError, match="never deleted"):
        delete(lake, raw)
