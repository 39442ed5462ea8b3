"""Where our broker does otherwise than the recorded one, on purpose: case id to reason. All other cases are equal."""

KNOWN: dict[str, str] = {
    "1.bin-ext-emptyname": (
        "a header named 'ce-' panics the real ingress handler and gets no answer; ours answers 400 and warns"
    ),
    "5.dls-longbody-crash": (
        "an error body over 768 bytes with a dead letter sink panics the real dispatcher, and every event on its way is"
        " lost; ours delivers the dead letter with the body cut to 1024 base64 characters, and warns"
    ),
}
