/**
 * One triangle covers the cells in view, a pixel each: it reads its column and looks its colour up; the browser then
 * stretches the picture to the size of the map, which without a graphics card is a tenth of the work. When several bins share a pixel the value of largest magnitude wins, in groups fixed to bin numbers so that nothing
 * shimmers while the map scrolls. Where groups grow past those of the coarse map, and where the ring has forgotten its
 * bins, the coarse map is read instead.
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

uniform sampler2D lut;
uniform sampler2D values;        // of the ring, a slot per row
uniform isampler2D marks;        // number and spot tick of a slot
uniform sampler2D coarseValues;  // of the coarse map
uniform isampler2D coarseMarks;
uniform ivec4 ring;        // first and last bin, capacity, rows
uniform ivec4 coarse;      // first and last column, capacity, rows; capacity 0: none
uniform int group;         // bins of a coarse column
uniform ivec2 firstCell;   // bin of the left column, tick of the top row
uniform int cellRows;
uniform int viewColumns;   // where bins share a pixel: pixels across the view,
uniform int rightBin;      // bin boundary at its right edge: whole part
uniform float rightPart;   // and the rest
uniform float columnBins;  // and bins to a pixel
uniform bool diverging;
uniform bool logScale;
uniform float x0;
uniform vec2 range;        // lo, hi
uniform int pooled;        // bins that share a pixel
uniform vec3 ground;
out vec4 colour;

float warp(float x) {
  return logScale ? asinh(x / x0) : x;
}

bool readCell(sampler2D from, isampler2D about, ivec4 held, int number, int tick, out float value) {
  if (number < held.x || number > held.y) return false;
  int slot = number % held.z;
  ivec2 mark = texelFetch(about, ivec2(0, slot), 0).xy;
  if (mark.x != number) return false;
  int row = tick - mark.y + held.w / 2;
  if (row < 0 || row >= held.w) return false;
  value = texelFetch(from, ivec2(row, slot), 0).x;
  return true;
}

void main() {
  int seq = pooled > 1 ? rightBin + int(floor(rightPart + (gl_FragCoord.x - float(viewColumns)) * columnBins))
                       : firstCell.x + int(gl_FragCoord.x);
  int tick = firstCell.y - (cellRows - 1 - int(gl_FragCoord.y));
  float value = 0.0;
  bool found = false;
  if (seq >= 0) {
    bool far = coarse.z > 0 && (pooled >= group || seq < ring.x);
    int number = far ? seq / group : seq;
    int n = far ? max(1, (pooled + group - 1) / group) : pooled;
    int from = (number / n) * n;
    for (int i = 0; i < 64; i += 1) {
      if (i >= n) break;
      float other;
      bool here = far ? readCell(coarseValues, coarseMarks, coarse, from + i, tick, other)
                      : readCell(values, marks, ring, from + i, tick, other);
      if (here) {
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
