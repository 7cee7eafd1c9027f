/**
 * One triangle covers the view; each pixel finds its bin and tick, reads the ring, and looks its colour up.
 * `values` is (rows wide, capacity high) float32; `marks` is (1, capacity): bin_seq and spot tick of a slot, seq -1
 * where the book was invalid. When several bins share a pixel the one of largest magnitude wins, in groups fixed to
 * bin numbers so that nothing shimmers while the map scrolls.
 */

export const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp isampler2D;

uniform sampler2D values;
uniform isampler2D marks;
uniform sampler2D lut;
uniform vec2 view;        // CSS pixels
uniform float dpr;
uniform int rightBin;     // bin boundary at the right edge: whole part
uniform float rightPart;  // and the rest
uniform float pxPerBin;
uniform int centerTick;
uniform float centerPart;
uniform float pxPerTick;
uniform ivec2 held;       // first and last bin
uniform int capacity;
uniform int rows;
uniform bool diverging;
uniform bool logScale;
uniform float x0;
uniform vec2 range;       // lo, hi
uniform int pooled;       // bins that share a pixel
uniform vec3 ground;
out vec4 colour;

float warp(float x) {
  return logScale ? asinh(x / x0) : x;
}

bool readCell(int seq, int tick, out float value) {
  if (seq < held.x || seq > held.y) return false;
  int slot = seq % capacity;
  ivec2 mark = texelFetch(marks, ivec2(0, slot), 0).xy;
  if (mark.x != seq) return false;
  int row = tick - mark.y + rows / 2;
  if (row < 0 || row >= rows) return false;
  value = texelFetch(values, ivec2(row, slot), 0).x;
  return true;
}

void main() {
  vec2 px = vec2(gl_FragCoord.x, dpr * view.y - gl_FragCoord.y) / dpr;
  int seq = rightBin + int(floor(rightPart + (px.x - view.x) / pxPerBin));
  int tick = centerTick + int(floor(centerPart + (0.5 * view.y - px.y) / pxPerTick + 0.5));
  float value = 0.0;
  bool found = false;
  if (pooled <= 1) {
    found = readCell(seq, tick, value);
  } else if (seq >= 0) {
    int from = (seq / pooled) * pooled;
    for (int i = 0; i < 64; i += 1) {
      if (i >= pooled) break;
      float other;
      if (readCell(from + i, tick, other)) {
        if (!found || abs(other) > abs(value)) value = other;
        found = true;
      }
    }
  }
  if (!found) {
    colour = vec4(ground, 1.0);
    return;
  }
  float top = warp(range.y);
  float bottom = diverging ? -top : warp(range.x);
  float t = clamp((warp(value) - bottom) / max(top - bottom, 1e-12), 0.0, 1.0);
  colour = vec4(texelFetch(lut, ivec2(int(t * 511.0 + 0.5), 0), 0).rgb, 1.0);
}`;
