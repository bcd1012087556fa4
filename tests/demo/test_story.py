from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.memory import Memory, reached
from demo.people import Directory
from demo.story import INSTANCES, Story, told
from demo.traffic import Demand

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def test_instances_switch_one_after_the_other() -> None:
    story = Story(START, 36)
    rollout = told(story)
    deploy = story.deploys[0]
    just_after = deploy.at.timestamp() + 1
    running = [rollout.running(name, just_after).version for name in INSTANCES["shop"]]
    assert running == ["4.17.1", "4.17.0", "4.17.0"]
    later = (deploy.at + timedelta(minutes=9)).timestamp()
    assert {rollout.running(name, later).version for name in INSTANCES["shop"]} == {"4.17.1"}


def test_the_worse_build_is_rolled_back_after_forty_minutes() -> None:
    story = Story(START, 36)
    bad = next(deploy for deploy in story.deploys if deploy.build.flaws)
    back = next(deploy for deploy in story.deploys if deploy.at > bad.at)
    assert back.at - bad.at == timedelta(minutes=40)
    assert back.build.version == "4.17.2"
    assert not back.build.flaws


@pytest.mark.parametrize("hours", [2, 12, 36])
def test_the_whole_story_fits_into_its_hours(hours: float) -> None:
    story = Story(START, hours)
    times = [deploy.at for deploy in story.deploys] + [marker.at for marker in story.markers]
    assert story.begins < min(times) < max(times) < START


def test_ids_of_deploys_are_all_different_and_stable() -> None:
    ids = [deploy.body()["id"] for deploy in Story(START, 36).deploys]
    assert len(set(ids)) == len(ids)
    assert ids == [deploy.body()["id"] for deploy in Story(START, 36).deploys]


def test_demand_is_the_rate_at_its_start_and_swings_over_the_day() -> None:
    demand = Demand(50, START.timestamp())
    assert demand.at(START.timestamp()) == pytest.approx(50)
    day = [demand.at(START.timestamp() - 3600 * hour) for hour in range(24)]
    assert max(day) > 1.8 * min(day)


def test_the_same_people_come_in_every_run() -> None:
    assert Directory(seed=1).people == Directory(seed=1).people
    assert Directory(seed=1).people != Directory(seed=2).people
    assert len({person.country for person in Directory(seed=1).people}) >= 6


def test_memory_survives_a_run_and_is_for_its_owner_only(tmp_path: Path) -> None:
    memory = Memory(start_s=12.5, versions={"shop": "1.0.0"})
    memory.write(tmp_path)
    assert Memory.read(tmp_path) == memory
    assert (tmp_path / "demo.json").stat().st_mode & 0o077 == 0
    assert reached(tmp_path, "demo-history") is None
