"""Draws charts as SVG, with the standard library only. They follow the viewer's light or dark colour scheme."""

import math
from html import escape

WIDTH = 720
LEFT, RIGHT, TOP = 16, 24, 44

STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .back { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; }
  .grid { stroke: #dfe3e8; stroke-width: 1; fill: none; }
  .f0 { fill: #1f6fd0; } .f1 { fill: #b8560b; } .f2 { fill: #15803d; } .f3 { fill: #a7b0ba; }
  .s0 { stroke: #1f6fd0; } .s1 { stroke: #b8560b; } .s2 { stroke: #15803d; } .s3 { stroke: #6b7580; }
  .t0 { fill: #1f6fd0; } .t1 { fill: #b8560b; } .t2 { fill: #15803d; } .t3 { fill: #59636e; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .title { font-size: 15px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117; } .ink { fill: #e6edf3; } .soft { fill: #9198a1; }
    .grid { stroke: #2b323b; }
    .f0 { fill: #58a6ff; } .f1 { fill: #f0975a; } .f2 { fill: #56c271; } .f3 { fill: #59636e; }
    .s0 { stroke: #58a6ff; } .s1 { stroke: #f0975a; } .s2 { stroke: #56c271; } .s3 { stroke: #9198a1; }
    .t0 { fill: #58a6ff; } .t1 { fill: #f0975a; } .t2 { fill: #56c271; } .t3 { fill: #9198a1; }
  }
"""


def text(x, y, words, classes="ink", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{escape(words)}</text>'


def frame(title, description, height, parts):
    """Returns a complete file. The title and the description are for screen readers."""
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title about">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="about">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
            text(LEFT, 26, title, "ink title"),
            *parts,
            "</svg>\n",
        ]
    )


def bars(title, rows, unit="×"):
    """Draws a bar for each row (name, value, whether it is emphasised)."""
    step, names = 26, 264
    longest = WIDTH - RIGHT - names - 64
    largest = max(value for _, value, _ in rows)
    parts = []
    for number, (name, value, emphasised) in enumerate(rows):
        y = TOP + number * step
        width = max(1.5, longest * value / largest)
        parts.append(text(names - 10, y + 16, name, "ink", "end"))
        parts.append(
            f'<rect class="{"f0" if emphasised else "f3"}" x="{names}" y="{y + 3}" width="{width:.1f}" height="18" rx="2"/>'
        )
        parts.append(text(names + width + 6, y + 16, f"{significant(value)} {unit}", "soft"))
    description = "; ".join(f"{name}: {significant(value)} {unit}" for name, value, _ in rows)
    return frame(title, description, TOP + len(rows) * step + 14, parts)


def lines(title, x_title, y_title, curves, y_log=True):
    """Draws a line for each curve (name, [(x, y), …]) on logarithmic axes; the vertical axis may be linear."""
    height, left, bottom = 330, 64, 48
    right = 34 + 7.5 * max(len(name) for name, _ in curves)
    xs = [x for _, points in curves for x, _ in points]
    ys = [y for _, points in curves for _, y in points]
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    if y_log:
        y_low, y_high = decades(min(ys), max(ys))
        ticks = [10.0**power for power in range(y_low, y_high + 1)]
        if len(ticks) < 4:
            ticks = sorted(tick * digit for tick in ticks for digit in (1, 2, 5) if tick * digit <= 10.0**y_high)
        scale = math.log10
    else:
        spacing = round_up(max(ys) / 5)
        y_low, y_high = 0, spacing * math.ceil(max(ys) / spacing)
        ticks = [spacing * number for number in range(round(y_high / spacing) + 1)]
        scale = float

    def place(x, y):
        across = (math.log10(x) - x_low) / (x_high - x_low)
        up = (scale(y) - y_low) / (y_high - y_low)
        return left + across * (WIDTH - left - right), height - bottom - up * (height - bottom - TOP - 18)

    parts = [text(LEFT, TOP + 4, y_title, "soft")]
    for tick in ticks:
        _, y = place(10**x_low, tick)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{WIDTH - right}"/>')
        parts.append(text(left - 8, y + 4, short(tick), "soft", "end"))
    for tick in x_ticks(xs):
        x, _ = place(tick, 10**y_low if y_log else 0)
        parts.append(text(x, height - bottom + 18, short(tick), "soft", "middle"))
    parts.append(text((left + WIDTH - right) / 2, height - 10, x_title, "soft", "middle"))

    ends = []
    for number, (name, points) in enumerate(curves):
        placed = [place(x, y) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(f'<path class="line s{number}" d="M{path}"/>')
        parts += [f'<circle class="t{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in placed]
        ends.append((placed[-1][1], number, name))
    last = -math.inf
    for y, number, name in sorted(ends):
        # Keep the names from overlapping.
        y = last = max(y + 4, last + 17)
        parts.append(text(WIDTH - right + 12, y, name, f"t{number}"))
    described = (f"{name}: " + ", ".join(f"{short(x)} {significant(y)}" for x, y in points) for name, points in curves)
    return frame(title, f"{y_title} by {x_title}. " + "; ".join(described), height, parts)


def decades(low, high):
    return math.floor(math.log10(low)), math.ceil(math.log10(high) + 1e-9)


def round_up(value):
    """Rounds up to the next of 1, 2, 5, 10, 20, …"""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= value)


def x_ticks(xs):
    """Returns powers of ten if there are enough of them, otherwise the values themselves."""
    low, high = min(xs), max(xs)
    powers = [10**power for power in range(math.ceil(math.log10(low) - 0.02), math.floor(math.log10(high) + 0.02) + 1)]
    return powers if len(powers) > 3 else sorted({x for x in xs if x & (x - 1) == 0})


def short(number):
    for size, letter in ((1_000_000, " M"), (1_000, " k")):
        if number >= size and number % size == 0:
            return f"{number // size:.0f}{letter}"
    return f"{number:g}"


def significant(value):
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
