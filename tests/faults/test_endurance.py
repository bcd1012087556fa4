"""The long fault run of `make faults-long`, for twenty seconds and with a fixed seed."""

from pathlib import Path

import pytest

from tests.faults.endurance import run, small_disk

pytestmark = pytest.mark.stack


def test_faults_lose_nothing_count_nothing_twice_and_answer_no_500(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data") as disk:
        report = run(tmp_path / "data", 1 / 3, 7, disk=disk)
    assert report.acknowledged > 500
    assert sum(report.faults.values()) >= 3
    assert report.good, report
