"""What ends a chain that only passes a payload on: as many bytes as were sent; each of them is the check `intact`'s."""


def validate_output(answer: str, seed: int, size: int) -> str | None:
    return None if answer == str(size) else f"{size} bytes were sent, {answer[:40]} were consumed"
