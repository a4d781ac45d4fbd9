"""Map tasks (plain, partial, over launch plans, tolerant), dynamic workflows, recursion, merge sort."""

import functools
from functools import partial
from typing import List, Optional

from flytekit import LaunchPlan, dynamic, map_task, task, workflow


@task
def square(value: int) -> int:
    return value * value


@task
def scale(value: int, factor: float, name: str) -> str:
    return f"{name}{value * factor}"


@task
def fragile(value: int) -> Optional[str]:
    if value == 2:
        raise ValueError("two is refused")
    return str(value)


@task
def total(values: List[int]) -> int:
    return sum(values)


@task
def coalesce(values: List[str]) -> str:
    return "".join(values)


@workflow
def sum_squares(values: List[int] = [1, 2, 3]) -> int:  # noqa: B006
    return total(values=map_task(square, concurrency=2)(value=values))


@workflow
def scaled(values: List[int], factor: float) -> str:
    mapped = functools.partial(scale, factor=factor, name="v")
    return coalesce(values=map_task(mapped)(value=values))


@workflow
def tolerant(values: List[int]) -> List[Optional[str]]:
    return map_task(fragile, min_success_ratio=0.5)(value=values)


@workflow
def square_wf(value: int) -> int:
    return square(value=value)


square_lp = LaunchPlan.get_or_create(square_wf, name="square_lp")


@task
def letters(text: str) -> List[str]:
    return list(text)


@task
def index_of(letter: str) -> int:
    return ord(letter) - ord("a")


@task
def update(counts: List[int], index: int) -> List[int]:
    counts[index] += 1
    return counts


@task
def zeros() -> List[int]:
    return [0] * 26


@task
def common(a: List[int], b: List[int]) -> int:
    return sum(min(x, y) for x, y in zip(a, b, strict=True))


@dynamic
def count_common(s1: str, s2: str) -> int:
    first = zeros()
    for letter in s1:
        first = update(counts=first, index=index_of(letter=letter))
    second = zeros()
    for letter in s2:
        second = update(counts=second, index=index_of(letter=letter))
    return common(a=first, b=second)


@workflow
def count_wf(s1: str, s2: str) -> int:
    return count_common(s1=s1, s2=s2)


@task
def halves(numbers: List[int]) -> tuple[List[int], List[int]]:
    middle = len(numbers) // 2
    return numbers[:middle], numbers[middle:]


@task
def merge(a: List[int], b: List[int]) -> List[int]:
    return sorted([*a, *b])


@task
def sort_here(numbers: List[int]) -> List[int]:
    return sorted(numbers)


@dynamic
def sort_apart(numbers: List[int], threshold: int) -> List[int]:
    a, b = halves(numbers=numbers)
    return merge(a=merge_sort(numbers=a, threshold=threshold), b=merge_sort(numbers=b, threshold=threshold))


@task
def size(numbers: List[int]) -> int:
    return len(numbers)


@dynamic
def merge_sort(numbers: List[int], threshold: int = 3) -> List[int]:
    if len(numbers) <= threshold:
        return sort_here(numbers=numbers)
    return sort_apart(numbers=numbers, threshold=threshold)


@dynamic
def plain_values(n: int) -> List[str]:
    found = []
    for i in range(n):
        found.append(scale(value=i, factor=1.0, name="x"))
    return found


@dynamic
def nothing_inside(n: int) -> int:
    return n + 1


if __name__ == "__main__":
    print(sum_squares(), sum_squares(values=[]), map_task(square)(value=[4, 5]))
    print(scaled(values=[1, 2], factor=0.5), map_task(partial(scale, name="p", factor=2.0))(value=[1]))
    print(tolerant(values=[1, 2, 3]))
    try:
        map_task(fragile)(value=[1, 2])
    except ValueError as e:
        print("ValueError", "two is refused" in str(e))
    print(map_task(square_lp)(value=[2, 3]))
    print(count_wf(s1="pear", s2="earth"), count_common(s1="aab", s2="ab"))
    print(merge_sort(numbers=[5, 3, 9, 1, 7, 2, 8]))
    print(plain_values(n=3), nothing_inside(n=4))
