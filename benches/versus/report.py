"""Samples of all rounds to tables: medians, spread, and howdah against each peer, round by round."""

from statistics import median


def table(row, samples, reference="howdah"):
    """Markdown. `samples` is {peer: [values of each round]}."""
    lines = [f"### {row.title} (`{row.name}`)", ""]
    head = ["", *(column.title for column in row.columns), "resident MiB"]
    compared = [column for column in row.columns if column.better and reference in samples]
    head += [f"howdah / it: {column.title}" for column in compared]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for peer, rounds in samples.items():
        cells = [peer]
        cells += [cell(column, [values.get(column.key) for values in rounds]) for column in row.columns]
        resident = [values["resident"] for values in rounds if values.get("resident")]
        cells.append(f"{median(resident) / (1 << 20):.1f}" if resident else "")
        for column in compared:
            cells.append("" if peer == reference else ratio(column, samples[reference], rounds))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def cell(column, values):
    """Median and, in brackets, how far the rounds lie apart."""
    values = [value for value in values if value is not None]
    if not values:
        return ""
    middle = median(values)
    spread = (max(values) - min(values)) / middle * 100 if middle else 0
    return f"{column.form.format(middle)} (±{spread / 2:.0f} %)"


def ratio(column, ours, theirs):
    """Median of the rounds' ratios: neighbours in time saw the same machine."""
    pairs = [
        mine[column.key] / other[column.key]
        for mine, other in zip(ours, theirs)
        if mine.get(column.key) is not None and other.get(column.key)
    ]
    return f"{median(pairs):.2f} ({min(pairs):.2f}–{max(pairs):.2f})" if pairs else ""


def verdicts(rows, results, reference="howdah"):
    """One line per goal: against the better of the peers (by median)."""
    lines = ["| row | figure | howdah / the better peer | goal | |", "|---|---|---|---|---|"]
    for row in rows:
        samples = results.get(row.name, {})
        for column in row.columns:
            if column.goal is None or reference not in samples:
                continue
            mine = median(values[column.key] for values in samples[reference])
            if column.limit is not None:
                lines.append(verdict(row, column, f"{mine:.1f}", "≤", column.limit, mine <= column.limit))
            against = {}
            for peer, rounds in samples.items():
                values = [values[column.key] for values in rounds if values.get(column.key)]
                if peer not in (reference, "direct") and values:
                    against[peer] = median(values)
            if not against:
                continue
            best = (max if column.better > 0 else min)(against, key=against.get)
            got = mine / against[best]
            held = got >= column.goal if column.better > 0 else got <= column.goal
            sign = "≥" if column.better > 0 else "≤"
            lines.append(verdict(row, column, f"{got:.2f} ({best})", sign, column.goal, held))
    return "\n".join([*lines, ""])


def verdict(row, column, got, sign, goal, held):
    return f"| {row.name} | {column.title} | {got} | {sign} {goal} | {'holds' if held else '**behind**'} |"
