"""Looks up results in docs/performance/results.json."""


class Group:
    """The contenders that did the same work."""

    def __init__(self, contenders, bytes=0, user_records=0):
        self.contenders = {timing["name"]: timing for timing in contenders}
        self.bytes = bytes
        self.user_records = user_records

    def __contains__(self, name):
        return name in self.contenders

    def __getitem__(self, name):
        return self.contenders[name]

    def names(self):
        return list(self.contenders)

    def beside(self, base, name):
        """Returns how many times as long as `base` it takes."""
        return self[name]["ratio"] / self[base]["ratio"]

    def beyond_first(self, name):
        """Returns how many nanoseconds longer than the first it takes. The difference of two medians would be too noisy."""
        first = next(iter(self.contenders.values()))
        return first["median_ns"] * (self[name]["ratio"] - 1)


class Results:
    def __init__(self, data):
        self.data = data

    def builds(self):
        return [build for build in ("baseline", "simd", "avx2") if build in self.data["scale"]]

    def group(self, name, build="baseline"):
        for outcome in self.data["measure"][build]:
            if outcome["group"] == name:
                return Group(outcome["contenders"], outcome["bytes"], outcome["user_records"])
        raise KeyError(f"{name} was not measured in the build {build}")

    def corpora(self):
        """The names of the corpora that the Rust program measured."""
        operation = "deaggregate, digest skipped: "
        groups = [outcome["group"] for outcome in self.data["measure"]["baseline"]]
        return [group.removeprefix(operation) for group in groups if group.startswith(operation)]

    def languages(self, operation, corpus):
        for outcome in self.data["languages"]:
            if (outcome["operation"], outcome["corpus"]) == (operation, corpus):
                return Group(outcome["contenders"])
        raise KeyError(f"{operation} {corpus} was not measured in other languages")

    def curve(self, name, build="baseline"):
        for curve in self.data["scale"][build]:
            if curve["series"] == name:
                return [(point["at"], point["ns"]) for point in curve["points"]]
        raise KeyError(f"{name} was not measured in the build {build}")

    def command(self, operation, name):
        """Returns user records per second."""
        for run in self.data["command_line"]:
            if (run["operation"], run["name"]) == (operation, name):
                return run["user_records"] / run["wall_s"]
        raise KeyError(f"the command was not measured: {operation}, {name}")
