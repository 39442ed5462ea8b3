"use strict";
// The trace explorer. Every file adds one part to `explorer`, in the order of their names, and uses those before it.
// What strangers said reaches the page only as text (`drawing.element`), so no name or tag can become markup.
const explorer = {};
