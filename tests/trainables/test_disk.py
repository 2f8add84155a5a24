"""Where the program keeps data sets and timings."""

import sys
from pathlib import Path

import pytest

from trainables.disk import cache_folder, data_folder


def test_the_cache_lies_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.delenv("ENTPROP_DATA", raising=False)
    monkeypatch.setenv("ENTPROP_CACHE", str(tmp_path / "own"))
    assert cache_folder() == data_folder() == tmp_path / "own"
    monkeypatch.setenv("ENTPROP_DATA", str(tmp_path / "data"))
    assert data_folder() == tmp_path / "data"
    assert data_folder(tmp_path / "asked") == tmp_path / "asked"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="XDG_CACHE_HOME is a convention of Linux")
def test_on_linux_the_cache_is_a_folder_of_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("ENTPROP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "entprop"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "entprop"
