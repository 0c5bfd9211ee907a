// What the page's modules are held to; scripts/lint.sh calls it.
import { createRequire } from "node:module";

const js = createRequire(new URL("../../build/node-lint/", import.meta.url))("@eslint/js");
const known = (names) => Object.fromEntries(names.split(" ").map((name) => [name, "readonly"]));

export default [
  js.configs.recommended,
  {
    files: ["frontend-static/js/**/*.js"],
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: "module",
      globals: known("AbortController BroadcastChannel DOMException Element Event EventSource FormData HashChangeEvent IntersectionObserver Intl Notification SharedWorker " +
        "TextDecoder TextEncoder URL URLSearchParams XMLHttpRequest addEventListener cancelAnimationFrame clearInterval clearTimeout dispatchEvent " +
        "document fetch focus getSelection history innerWidth localStorage location matchMedia navigator performance " +
        "requestAnimationFrame self setInterval setTimeout window"),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error", "no-var": "error", "prefer-const": ["error", { destructuring: "all" }], "no-alert": "error", "no-console": "error", "no-eval": "error",
      "no-implied-eval": "error", "no-new-func": "error", "no-shadow-restricted-names": "error", "no-throw-literal": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }], "no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "object-shorthand": "error", "prefer-template": "error", "no-else-return": "error", "no-unneeded-ternary": "error",
      "max-lines": ["error", 600],
      // Text of others enters as text nodes, never as HTML.
      "no-restricted-properties": ["error", ...["innerHTML", "outerHTML", "insertAdjacentHTML", "cssText"].map((property) => ({ property })),
        { object: "document", property: "write" }],
    },
  },
  { files: ["frontend-static/js/theme.js"], languageOptions: { sourceType: "script" } },
];
