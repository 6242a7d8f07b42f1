from emu.bench.tables import Table, ratio


def test_figures_are_shown_in_their_units() -> None:
    table = Table("Times", [("", ""), ("nodes", ""), ("median", "ms"), ("memory", "MB"), ("ratio", "")])
    table.rows.append(["emu", 4000, 1.2345, 150_400_000, 1.289])
    table.rows.append(["floor", 4000, 0.0123, None, 1.0])
    table.notes.append("A note.")
    assert table.markdown() == (
        "## Times\n\n"
        "|  | nodes | median | memory | ratio |\n"
        "|---|---|---|---|---|\n"
        "| emu | 4,000 | 1,234 ms | 150 MB | 1.29 |\n"
        "| floor | 4,000 | 12.3 ms | - | 1.00 |\n"
        "\nA note.\n"
    )


def test_ratios_are_taken_pair_by_pair() -> None:
    """A machine that grows slower does so for both of a pair."""
    assert ratio([1.0, 10.0, 300.0], [1.0, 5.0, 100.0]) == 2.0
