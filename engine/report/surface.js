"use strict";
// Draws the surfaces of small density boxes: naive surface nets over 8-bit voxels, shaded by one WebGL2 context for all
// pictures: the first at once, the others as they come into view. Without WebGL2 nothing is changed, and the text below each
// picture stands.
(() => {
  const boxes = JSON.parse(document.getElementById("surfaces").textContent);
  const glCanvas = document.createElement("canvas");
  const gl = glCanvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true });
  if (!gl || !boxes.length) return;

  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, `#version 300 es
      in vec3 place; in vec3 normal; uniform mat3 turn; uniform vec2 scale; out vec3 facing; out float depth;
      void main() { vec3 at = turn * place; facing = turn * normal; depth = at.z;
        gl_Position = vec4(at.xy * scale, -at.z * 0.5, 1.0); }`],
    [gl.FRAGMENT_SHADER, `#version 300 es
      precision highp float; in vec3 facing; in float depth; uniform vec3 colour; uniform vec3 ground; out vec4 shown;
      void main() { vec3 n = normalize(facing); if (!gl_FrontFacing) n = -n;
        float key = max(dot(n, normalize(vec3(-0.45, 0.6, 0.75))), 0.0), fill = max(dot(n, normalize(vec3(0.8, -0.2, 0.4))), 0.0);
        float gloss = pow(max(dot(n, normalize(vec3(-0.25, 0.33, 0.95))), 0.0), 40.0);
        vec3 lit = colour * (0.34 + 0.62 * key + 0.16 * fill) + 0.10 * gloss;
        shown = vec4(mix(lit, ground, clamp(0.30 - 0.45 * depth, 0.0, 0.5)), 1.0); }`],
  ]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return;
  gl.useProgram(program);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const [uTurn, uScale, uColour, uGround] = ["turn", "scale", "colour", "ground"].map(uniform);
  gl.enable(gl.DEPTH_TEST);

  /** The voxels as floats in deviations, with a rim of zeros; small boxes twice as fine, by cubic interpolation. */
  function density(box) {
    const raw = Uint8Array.from(atob(box.data), (letter) => letter.charCodeAt(0));
    let n = box.side, values = Float32Array.from(raw, (byte) => (byte * box.top) / 255);
    if (n <= 40) {
      for (let axis = 0; axis < 3; axis++) values = doubled(values, [0, 1, 2].map((a) => (a < axis ? 2 * n : n)), axis);
      n *= 2;
    }
    const side = n + 2, rimmed = new Float32Array(side ** 3);
    for (let z = 0; z < n; z++)
      for (let y = 0; y < n; y++)
        rimmed.set(values.subarray((z * n + y) * n, (z * n + y + 1) * n), ((z + 1) * side + y + 1) * side + 1);
    return { side, values: rimmed, centre: 2 * Math.floor(box.side / 2) * (n / box.side) / 2 + 1 };
  }

  /** Twice as many samples along an axis (0 is x); sizes are those before, x first. */
  function doubled(values, sizes, axis) {
    const [nx, ny, nz] = sizes, out = sizes.map((size, at) => (at === axis ? 2 * size : size));
    const made = new Float32Array(out[0] * out[1] * out[2]), length = sizes[axis];
    const step = [1, nx, nx * ny][axis], stepOut = [1, out[0], out[0] * out[1]][axis];
    for (let z = 0; z < (axis === 2 ? 1 : nz); z++)
      for (let y = 0; y < (axis === 1 ? 1 : ny); y++)
        for (let x = 0; x < (axis === 0 ? 1 : nx); x++) {
          const from = (z * ny + y) * nx + x, to = (z * out[1] + y) * out[0] + x;
          const at = (i) => values[from + Math.min(Math.max(i, 0), length - 1) * step];
          for (let i = 0; i < length; i++) {
            made[to + 2 * i * stepOut] = at(i);
            made[to + (2 * i + 1) * stepOut] = (9 * (at(i) + at(i + 1)) - at(i - 1) - at(i + 2)) / 16;
          }
        }
    return made;
  }

  /** Places, normals and triangles of the surface at a level; pieces smaller than a 25th of the largest are left out. */
  function mesh({ side: n, values, centre }, level) {
    const places = [], index = new Int32Array(n ** 3).fill(-1), faces = [];
    const steps = [1, n, n * n], corners = [0, 1, n, n + 1, n * n, n * n + 1, n * n + n, n * n + n + 1];
    const edges = [[0, 1], [2, 3], [4, 5], [6, 7], [0, 2], [1, 3], [4, 6], [5, 7], [0, 4], [1, 5], [2, 6], [3, 7]];
    for (let z = 0; z < n - 1; z++)
      for (let y = 0; y < n - 1; y++)
        for (let x = 0; x < n - 1; x++) {
          const at = (z * n + y) * n + x;
          let inside = 0;
          for (let c = 0; c < 8; c++) if (values[at + corners[c]] > level) inside |= 1 << c;
          if (inside === 0 || inside === 255) continue;
          let sx = 0, sy = 0, sz = 0, count = 0;
          for (const [a, b] of edges) {
            if (((inside >> a) & 1) === ((inside >> b) & 1)) continue;
            const va = values[at + corners[a]], vb = values[at + corners[b]], t = (level - va) / (vb - va);
            sx += (a & 1) + t * ((b & 1) - (a & 1));
            sy += ((a >> 1) & 1) + t * (((b >> 1) & 1) - ((a >> 1) & 1));
            sz += (a >> 2) + t * ((b >> 2) - (a >> 2));
            count++;
          }
          index[at] = places.length / 3;
          places.push(x + sx / count, y + sy / count, z + sz / count);
        }
    // A quadrilateral around each edge of the grid that the surface crosses.
    for (let axis = 0; axis < 3; axis++) {
      const step = steps[axis], u = steps[(axis + 1) % 3], v = steps[(axis + 2) % 3];
      for (let at = u + v; at + step < values.length; at++) {
        const one = values[at] > level;
        if (one === values[at + step] > level) continue;
        const [a, b, c, d] = [index[at - u - v], index[at - v], index[at], index[at - u]];
        if (a < 0 || b < 0 || c < 0 || d < 0) continue;
        if (one) faces.push(a, b, c, a, c, d);
        else faces.push(a, c, b, a, d, c);
      }
    }
    return shaped(places, large(faces, places.length / 3), values, n, centre);
  }

  /** The triangles of pieces that are not small. */
  function large(faces, count) {
    const parent = Int32Array.from({ length: count }, (_, at) => at), sizes = new Int32Array(count);
    const root = (at) => { while (parent[at] !== at) at = parent[at] = parent[parent[at]]; return at; };
    for (let f = 0; f < faces.length; f += 3) {
      parent[root(faces[f + 1])] = root(faces[f]);
      parent[root(faces[f + 2])] = root(faces[f]);
    }
    let most = 0;
    for (let f = 0; f < faces.length; f += 3) most = Math.max(most, ++sizes[root(faces[f])]);
    const kept = [];
    for (let f = 0; f < faces.length; f += 3)
      if (sizes[root(faces[f])] * 25 >= most) kept.push(faces[f], faces[f + 1], faces[f + 2]);
    return kept;
  }

  /** Buffers, with normals against the gradient of the density. */
  function shaped(places, faces, values, n, centre) {
    const at = (x, y, z) => {
      const i = Math.floor(x), j = Math.floor(y), k = Math.floor(z), a = x - i, b = y - j, c = z - k;
      const v = (di, dj, dk) => values[(Math.min(k + dk, n - 1) * n + Math.min(j + dj, n - 1)) * n + Math.min(i + di, n - 1)];
      const row = (dj, dk) => v(0, dj, dk) * (1 - a) + v(1, dj, dk) * a;
      return (row(0, 0) * (1 - b) + row(1, 0) * b) * (1 - c) + (row(0, 1) * (1 - b) + row(1, 1) * b) * c;
    };
    const inside = (value) => Math.min(Math.max(value, 0), n - 1);
    const packed = new Float32Array(places.length * 2), half = (n - 2) / 2;
    for (let p = 0; p < places.length; p += 3) {
      const [x, y, z] = [places[p], places[p + 1], places[p + 2]], h = 1;
      packed.set([(x - centre) / half, (y - centre) / half, (z - centre) / half,
        at(inside(x - h), y, z) - at(inside(x + h), y, z), at(x, inside(y - h), z) - at(x, inside(y + h), z),
        at(x, y, inside(z - h)) - at(x, y, inside(z + h))], p * 2);
    }
    let reach = 0;
    for (const f of faces) reach = Math.max(reach, Math.hypot(packed[6 * f], packed[6 * f + 1], packed[6 * f + 2]));
    return { packed, faces: Uint32Array.from(faces), reach };
  }

  const product = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
  const aboutX = (t) => [[1, 0, 0], [0, Math.cos(t), -Math.sin(t)], [0, Math.sin(t), Math.cos(t)]];
  const aboutY = (t) => [[Math.cos(t), 0, Math.sin(t)], [0, 1, 0], [-Math.sin(t), 0, Math.cos(t)]];
  const aboutZ = (t) => [[Math.cos(t), -Math.sin(t), 0], [Math.sin(t), Math.cos(t), 0], [0, 0, 1]];
  const rgb = (text) => {  // #fff is short for #ffffff
    const digits = text.trim().slice(1), all = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
    return [0, 2, 4].map((from) => parseInt(all.slice(from, from + 2), 16) / 255);
  };
  const asked = /(?:^#|&)level=([0-9.]+)/.exec(location.hash);

  for (const canvas of document.querySelectorAll("canvas[data-surface]")) {
    const box = boxes[canvas.dataset.surface], figure = canvas.closest("figure");
    const slider = figure.querySelector("input"), output = figure.querySelector("output");
    const place = gl.createBuffer(), order = gl.createBuffer();
    let turn = product(aboutX(-1.1), aboutZ(0.45)), zoom = 0, grid = null, shape = null, waiting = false;

    const remesh = () => {
      grid ??= density(box);
      shape = mesh(grid, Number(slider.value));
      gl.bindBuffer(gl.ARRAY_BUFFER, place);
      gl.bufferData(gl.ARRAY_BUFFER, shape.packed, gl.STATIC_DRAW);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, shape.faces, gl.STATIC_DRAW);
      output.textContent = `${Number(slider.value).toFixed(2)} σ`;
    };

    const draw = () => {
      waiting = false;
      if (!shape) remesh();
      zoom ||= Math.min(2.2, 1.25 / (shape.reach || 1));  // what is shown first fills the picture
      const { width, height } = canvas, style = getComputedStyle(document.documentElement);
      glCanvas.width = width;
      glCanvas.height = height;
      gl.viewport(0, 0, width, height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      gl.uniformMatrix3fv(uTurn, true, turn.flat());
      gl.uniform2f(uScale, (0.72 * zoom * height) / width, 0.72 * zoom);
      gl.uniform3fv(uColour, rgb(style.getPropertyValue("--surface")));
      gl.uniform3fv(uGround, rgb(style.getPropertyValue("--wash")));
      gl.bindBuffer(gl.ARRAY_BUFFER, place);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order);
      ["place", "normal"].forEach((name, at) => {
        const where = gl.getAttribLocation(program, name);
        gl.enableVertexAttribArray(where);
        gl.vertexAttribPointer(where, 3, gl.FLOAT, false, 24, 12 * at);
      });
      gl.drawElements(gl.TRIANGLES, shape.faces.length, gl.UNSIGNED_INT, 0);
      const flat = canvas.getContext("2d");
      flat.clearRect(0, 0, width, height);
      flat.drawImage(glCanvas, 0, 0);
      if (box.apix > 0) bar(flat, width, height, (0.72 * zoom * height) / (box.side * box.apix), style.getPropertyValue("--muted"));
      canvas.dataset.triangles = shape.faces.length / 3;
    };

    /** A bar of a round length. */
    const bar = (flat, width, height, pxPerA, colour) => {
      const power = 10 ** Math.floor(Math.log10(0.25 * width / pxPerA)), most = (0.25 * width) / pxPerA / power;
      const length = power * (most >= 5 ? 5 : most >= 2 ? 2 : 1);
      flat.fillStyle = colour;
      flat.fillRect(28, height - 30, length * pxPerA, 4);
      flat.font = "22px system-ui, sans-serif";
      flat.fillText(`${length >= 1 ? length : length.toPrecision(1)} Å`, 28, height - 42);
    };

    const ask = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
    slider.addEventListener("input", () => { remesh(); ask(); });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      turn = product(product(aboutY(event.movementX / 150), aboutX(event.movementY / 150)), turn);
      ask();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom = Math.min(6, Math.max(0.4, zoom * Math.exp(-event.deltaY / 400)));
      ask();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: aboutY(-0.12), ArrowRight: aboutY(0.12), ArrowUp: aboutX(-0.12), ArrowDown: aboutX(0.12) };
      if (event.key === "+" || event.key === "-") zoom = Math.min(6, Math.max(0.4, zoom * (event.key === "+" ? 1.15 : 1 / 1.15)));
      else if (turns[event.key]) turn = product(turns[event.key], turn);
      else return;
      event.preventDefault();
      ask();
    });
    if (asked) slider.value = asked[1];
    output.textContent = `${Number(slider.value).toFixed(2)} σ`;
    canvas.hidden = slider.closest("label").hidden = false;
    figure.querySelector(".fallback").hidden = true;
    if (canvas.dataset.surface === "0") draw();
    else new IntersectionObserver((seen, watch) => {
      if (seen.some((one) => one.isIntersecting)) { watch.disconnect(); ask(); }
    }, { rootMargin: "400px" }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ask);
    addEventListener("beforeprint", draw);
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
