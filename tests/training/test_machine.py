"""What is known of the machine."""

from symla.runtime import machine


def test_files_in_the_cache_of_a_container_are_memory_that_is_there(tmp_path, monkeypatch):
    """A limit of 1,000 of which 900 are used, 600 of these by files that were read."""
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000\n")
    (group / "memory.current").write_text("900\n")
    (group / "memory.stat").write_text("anon 300\ninactive_file 600\n")
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert machine.available_memory() == 700
    (group / "memory.max").write_text("max\n")
    assert machine.available_memory() is None
