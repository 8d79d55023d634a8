// The score, its slopes and the insertion: `correlate.best_of_each`, `correlate.slopes` and `average.inserted` in CUDA.
//
// Launched by cuda.py, which gives SLOTS, ROWS and HALF_TABLE as macros. Every sum is taken in a fixed order or in integers, so
// the bits do not depend on scheduling. The file is also compiled for the CPU by the tests: threads meet only in __syncthreads
// and __syncwarp, no lane reads another's registers, and all shared memory is `shared`.
//
// A band's points come in ascending order of (kz, ky, kx). point.x holds the bits of W, point.y packs kx, ky + 512, kz + 512
// in ten bits each. The table holds at each voxel its own coefficient and its neighbour's along x: one load for two corners.

#ifndef SLOTS  // samples 0..half of the window along y that fit into a lane's registers
#define SLOTS 8
#endif
#ifndef ROWS  // rows of constant ky that a lane sums along kx at once
#define ROWS 4
#endif
#ifndef HALF_TABLE  // 1: the table's four numbers are float16
#define HALF_TABLE 0
#endif

#define WARPS 8
#define LANES 32
#define THREADS (WARPS * LANES)
#define SLOPE_THREADS 128
#define MOMENTS 11
#define SMALLEST 1.17549435e-38f
#define INFINITE __int_as_float(0x7f800000)

extern __shared__ float4 shared[];

#if HALF_TABLE
typedef uint2 Pair;

#ifndef HALF_TO_FLOAT
static __device__ __forceinline__ float half_to_float(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
#define HALF_TO_FLOAT(bits) half_to_float(bits)
#endif

static __device__ __forceinline__ float4 numbers(Pair pair) {
    return make_float4(HALF_TO_FLOAT((unsigned short)(pair.x & 0xffff)), HALF_TO_FLOAT((unsigned short)(pair.x >> 16)),
                       HALF_TO_FLOAT((unsigned short)(pair.y & 0xffff)), HALF_TO_FLOAT((unsigned short)(pair.y >> 16)));
}
#else
typedef float4 Pair;

static __device__ __forceinline__ float4 numbers(Pair pair) { return pair; }
#endif

struct Frequency {
    int x, y, z;
};

static __device__ __forceinline__ Frequency unpacked(int packed) {
    return {packed & 1023, ((packed >> 10) & 1023) - 512, ((packed >> 20) & 1023) - 512};
}

// What a block needs to sample the reference for its rotation.
struct Sampler {
    const Pair* table;
    int reach, width, height;
    float r[9];

    __device__ __forceinline__ Sampler(const Pair* values, int table_reach, const float* rotation, float scale)
        : table(values), reach(table_reach), width(table_reach + 1), height(2 * table_reach + 1) {
#pragma unroll
        for (int i = 0; i < 9; i++) r[i] = rotation[i] * scale;
    }

    // The reference at R^-1 k, trilinear; what lies at negative x is the conjugate of its opposite.
    __device__ __forceinline__ float2 operator()(Frequency k) const {
        float kx = (float)k.x, ky = (float)k.y, kz = (float)k.z;
        float x = r[0] * kx + r[3] * ky + r[6] * kz;
        float y = r[1] * kx + r[4] * ky + r[7] * kz;
        float z = r[2] * kx + r[5] * ky + r[8] * kz;
        float sign = x < 0 ? -1.0f : 1.0f;
        x *= sign;
        y *= sign;
        z *= sign;
        float x0 = floorf(x), y0 = floorf(y), z0 = floorf(z);
        float fx = x - x0, fy = y - y0, fz = z - z0;
        const Pair* corner = table + ((((int)z0 + reach) * height + (int)y0 + reach) * width + (int)x0);
        float4 a = numbers(corner[0]), b = numbers(corner[width]);
        float4 c = numbers(corner[height * width]), d = numbers(corner[(height + 1) * width]);
        float wd = fy * fz, wb = fy - wd, wc = fz - wd, wa = 1.0f - fy - wc;
        float near_re = wa * a.x + wb * b.x + wc * c.x + wd * d.x;
        float near_im = wa * a.y + wb * b.y + wc * c.y + wd * d.y;
        float far_re = wa * a.z + wb * b.z + wc * c.z + wd * d.z;
        float far_im = wa * a.w + wb * b.w + wc * c.w + wd * d.w;
        return make_float2(near_re + fx * (far_re - near_re), sign * (near_im + fx * (far_im - near_im)));
    }
};

// conj(t) p
static __device__ __forceinline__ float2 matched(float2 t, float2 p) {
    return make_float2(t.x * p.x + t.y * p.y, t.x * p.y - t.y * p.x);
}

// The highest CC of each rotation in the window and its flat place there; the first among equals. One block a rotation.
//
// A warp takes every WARPS-th plane of constant kz, tile by tile (tiles: first ky + reach, first point, points, pairs of kx). It
// multiplies a tile's points with the reference into shared memory, zero where nothing was measured; sums along kx, a lane
// for each cosine or sine of a shift; and adds the rows, times their phases along ky, to SLOTS complex pairs in registers.
// Opposite shifts share these sums. After every WARPS planes (planes: kz + reach, first tile, tiles, unused) the block adds
// them, times their phases along kz, to the map of the window, which stays in shared memory.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    search(const Pair* __restrict__ table, int table_reach, float scale, const float* __restrict__ rotations,
           const int2* __restrict__ points, const float2* __restrict__ particle, float energy,
           const int4* __restrict__ planes, int n_planes, const int4* __restrict__ tiles, int reach,
           const float2* __restrict__ along_x, const float2* __restrict__ along_y, const float2* __restrict__ along_z,
           const unsigned char* __restrict__ allowed, int size_x, int size_y, int size_z, float* __restrict__ best_cc,
           int* __restrict__ best_place) {
    const int thread = threadIdx.x, warp = thread / LANES, lane = thread % LANES;
    const int half_x = size_x / 2, half_y = size_y / 2, n_rows = 2 * reach + 1;
    const int width = 2 * (half_x + 1), n_groups = LANES / width;  // lanes for cosines and sines; rows summed side by side
    const int group = lane / width, column = lane % width;
    const int pairs = reach / 2 + 1, n_tile_rows = n_groups * ROWS;
    const int n_columns = size_y * size_x, n_samples = size_z * n_columns;
    const int n_tile = n_tile_rows * 2 * pairs, n_plane = size_y * width, n_scratch = n_tile > n_plane ? n_tile : n_plane;

    float2* scratch = (float2*)shared;  // for each warp a tile, later its plane of the window
    float2* phase_x = scratch + WARPS * n_scratch;
    float2* phase_y = phase_x + pairs * width;
    float2* phase_z = phase_y + n_rows * SLOTS;
    float* values = (float*)(phase_z + n_rows * size_z);
    float* tops = values + n_samples;
    int* places = (int*)(tops + THREADS);
    float2* mine = scratch + warp * n_scratch;

    for (int i = thread; i < pairs * width; i += THREADS) {
        int k = 2 * (i / width), sine = i % width > half_x, shift = i % width - sine * (half_x + 1) + half_x;
        float2 low = along_x[k * size_x + shift];
        float2 high = k < reach ? along_x[(k + 1) * size_x + shift] : make_float2(0, 0);
        phase_x[i] = sine ? make_float2(low.y, high.y) : make_float2(low.x, high.x);
    }
    for (int i = thread; i < n_rows * SLOTS; i += THREADS) {
        int shift = i % SLOTS;
        phase_y[i] = shift <= half_y ? along_y[(half_y + shift) * n_rows + i / SLOTS] : make_float2(0, 0);
    }
    for (int i = thread; i < n_rows * size_z; i += THREADS) phase_z[i] = along_z[(i % size_z) * n_rows + i / size_z];
    for (int i = thread; i < n_samples; i += THREADS) values[i] = 0;
    __syncthreads();

    const Sampler sampled(table, table_reach, rotations + 9 * blockIdx.x, scale);
    float norm = 0;
    for (int round = 0; round < n_planes; round += WARPS) {
        if (round + warp < n_planes) {
            const int4 plane = planes[round + warp];
            float2 cosine[SLOTS], sine[SLOTS];
#pragma unroll
            for (int j = 0; j < SLOTS; j++) cosine[j] = sine[j] = make_float2(0, 0);
            for (int number = plane.y; number < plane.y + plane.z; number++) {
                const int4 tile = tiles[number];
                for (int i = lane; i < n_tile; i += LANES) mine[i] = make_float2(0, 0);
                __syncwarp();
#pragma unroll 2
                for (int i = lane; i < tile.z; i += LANES) {
                    const int2 point = points[tile.y + i];
                    const float2 p = particle[tile.y + i];
                    const Frequency k = unpacked(point.y);
                    const float2 t = sampled(k);
                    norm += __int_as_float(point.x) * (t.x * t.x + t.y * t.y);
                    mine[(k.y + reach - tile.x) * 2 * pairs + k.x] = matched(t, p);
                }
                __syncwarp();
                if (group < n_groups) {
                    const float4* rows = (const float4*)mine + group * ROWS * pairs;
                    float2 sum[ROWS];
#pragma unroll
                    for (int row = 0; row < ROWS; row++) sum[row] = make_float2(0, 0);
                    for (int pair = 0; pair < tile.w; pair++) {
                        const float2 phase = phase_x[pair * width + column];
#pragma unroll
                        for (int row = 0; row < ROWS; row++) {
                            const float4 two = rows[row * pairs + pair];
                            sum[row].x += two.x * phase.x + two.z * phase.y;
                            sum[row].y += two.y * phase.x + two.w * phase.y;
                        }
                    }
#pragma unroll
                    for (int row = 0; row < ROWS; row++) {
                        const int ky = min(tile.x + group * ROWS + row, n_rows - 1);  // rows beyond the last are empty
#pragma unroll
                        for (int j = 0; j < SLOTS; j++) {
                            const float2 phase = phase_y[ky * SLOTS + j];
                            cosine[j].x += sum[row].x * phase.x;
                            cosine[j].y += sum[row].y * phase.x;
                            sine[j].x += sum[row].x * phase.y;
                            sine[j].y += sum[row].y * phase.y;
                        }
                    }
                }
                __syncwarp();
            }
            for (int turn = 0; turn < n_groups; turn++) {
                if (group == turn) {
#pragma unroll
                    for (int j = 0; j < SLOTS; j++) {
                        if (j <= half_y) {
                            float2* up = mine + (half_y + j) * width + column;
                            float2* down = mine + (half_y - j) * width + column;
                            const float2 above = turn ? *up : make_float2(0, 0), below = turn ? *down : make_float2(0, 0);
                            *down = make_float2(below.x + cosine[j].x + sine[j].y, below.y + cosine[j].y - sine[j].x);
                            *up = make_float2(above.x + cosine[j].x - sine[j].y, above.y + cosine[j].y + sine[j].x);
                        }
                    }
                }
                __syncwarp();
            }
        }
        __syncthreads();
        const int n_ready = min(WARPS, n_planes - round);
        const int n_parts = max(1, min(size_z, THREADS / n_columns));
        for (int item = thread; item < n_columns * n_parts; item += THREADS) {
            const int place = item % n_columns, shift = place % size_x - half_x;
            const int at = place / size_x * width + (shift < 0 ? -shift : shift);
            const float sign = shift < 0 ? -1.0f : 1.0f;
            float2 amount[WARPS];
            int row[WARPS];
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                amount[w] = make_float2(0, 0);
                row[w] = 0;
                if (w < n_ready) {
                    const float2 c = scratch[w * n_scratch + at], s = scratch[w * n_scratch + at + half_x + 1];
                    amount[w] = make_float2(c.x - sign * s.y, c.y + sign * s.x);
                    row[w] = planes[round + w].x * size_z;
                }
            }
            for (int z = item / n_columns; z < size_z; z += n_parts) {
                float sum = values[z * n_columns + place];
#pragma unroll
                for (int w = 0; w < WARPS; w++) {
                    const float2 phase = phase_z[row[w] + z];
                    sum += amount[w].x * phase.x - amount[w].y * phase.y;
                }
                values[z * n_columns + place] = sum;
            }
        }
        __syncthreads();
    }

    tops[thread] = norm;
    __syncthreads();
    for (int other = THREADS / 2; other > 0; other /= 2) {
        if (thread < other) tops[thread] += tops[thread + other];
        __syncthreads();
    }
    const float height = 1.0f / sqrtf(fmaxf(tops[0] * energy, SMALLEST));
    __syncthreads();
    float top = -INFINITE;
    int place = n_samples;
    for (int i = thread; i < n_samples; i += THREADS) {
        const float value = values[i] * height;
        if (allowed[i] && value > top) {
            top = value;
            place = i;
        }
    }
    tops[thread] = top;
    places[thread] = place;
    __syncthreads();
    for (int other = THREADS / 2; other > 0; other /= 2) {
        if (thread < other) {
            const float rival = tops[thread + other];
            const int there = places[thread + other];
            if (rival > tops[thread] || (rival == tops[thread] && there < places[thread])) {
                tops[thread] = rival;
                places[thread] = there;
            }
        }
        __syncthreads();
    }
    if (thread == 0) {
        best_cc[blockIdx.x] = tops[0];
        best_place[blockIdx.x] = places[0] < n_samples ? places[0] : 0;
    }
}

// For each rotation and share of the points (grid: rotations, shares), with X = conj(t) p: the sums of Re X, of kx, ky, kz times
// Im X, of kx^2, ky^2, kz^2, kx ky, kx kz, ky kz times Re X, and of W |t|^2. cuda.py adds the shares and scales.
extern "C" __global__ void __launch_bounds__(SLOPE_THREADS)
    moments(const Pair* __restrict__ table, int table_reach, float scale, const float* __restrict__ rotations,
            const int2* __restrict__ points, const float2* __restrict__ particle, int n_points,
            double* __restrict__ sums) {
    const Sampler sampled(table, table_reach, rotations + 9 * blockIdx.x, scale);
    float sum[MOMENTS];
#pragma unroll
    for (int m = 0; m < MOMENTS; m++) sum[m] = 0;
    for (int i = blockIdx.y * SLOPE_THREADS + threadIdx.x; i < n_points; i += gridDim.y * SLOPE_THREADS) {
        const int2 point = points[i];
        const float2 p = particle[i];
        const Frequency k = unpacked(point.y);
        const float2 t = sampled(k);
        const float2 product = matched(t, p);
        const float x = (float)k.x, y = (float)k.y, z = (float)k.z;
        const float term[MOMENTS] = {product.x,         x * product.y,     y * product.y,     z * product.y,
                                     x * x * product.x, y * y * product.x, z * z * product.x, x * y * product.x,
                                     x * z * product.x, y * z * product.x, __int_as_float(point.x) * (t.x * t.x + t.y * t.y)};
#pragma unroll
        for (int m = 0; m < MOMENTS; m++) sum[m] += term[m];
    }
    double* all = (double*)shared;
#pragma unroll
    for (int m = 0; m < MOMENTS; m++) all[m * SLOPE_THREADS + threadIdx.x] = sum[m];
    __syncthreads();
    for (int other = SLOPE_THREADS / 2; other > 0; other /= 2) {
        for (int i = threadIdx.x; i < MOMENTS * other; i += SLOPE_THREADS)
            all[i / other * SLOPE_THREADS + i % other] += all[i / other * SLOPE_THREADS + i % other + other];
        __syncthreads();
    }
    if (threadIdx.x < MOMENTS)
        sums[(blockIdx.x * gridDim.y + blockIdx.y) * MOMENTS + threadIdx.x] = all[threadIdx.x * SLOPE_THREADS];
}

// One unit of the sums is 2^-56 of the power of two at or above the largest coefficient: 0, the weights' own, or that of `peak`.
static __device__ __forceinline__ int exponent_of(float peak) {
    int exponent;
    frexpf(peak, &exponent);
    return exponent;
}

static __device__ __forceinline__ void add(unsigned long long* sum, float amount, double scale) {
    atomicAdd(sum, (unsigned long long)llrint((double)amount * scale));
}

// Adds a particle's measured coefficients to the eight voxels around R^-1 k: sums[voxel] += (Re, Im, weight), 64-bit integers.
extern "C" __global__ void __launch_bounds__(THREADS)
    insert(const float2* __restrict__ block, const int* __restrict__ measured, int n_points, int reach, int box,
           const float* __restrict__ rotation, float turn_x, float turn_y, float turn_z, const float* __restrict__ peak,
           unsigned long long* __restrict__ sums) {
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n_points) return;
    const int last = box / 2, place = measured[i];
    const int side = 2 * reach + 1, column = place % (reach + 1), row = place / (reach + 1) % side;
    const float kx = (float)column, ky = (float)(row - reach), kz = (float)(place / (reach + 1) / side - reach);
    float sine, cosine;
    sincosf(turn_x * kx + turn_y * ky + turn_z * kz, &sine, &cosine);
    const float2 v = block[place];
    float x = rotation[0] * kx + rotation[3] * ky + rotation[6] * kz;
    float y = rotation[1] * kx + rotation[4] * ky + rotation[7] * kz;
    float z = rotation[2] * kx + rotation[5] * ky + rotation[8] * kz;
    const float sign = x < 0 ? -1.0f : 1.0f;
    x *= sign;
    y *= sign;
    z *= sign;
    const float re = v.x * cosine - v.y * sine, im = sign * (v.x * sine + v.y * cosine);
    const float x0 = floorf(x), y0 = floorf(y), z0 = floorf(z);
    const float fx = x - x0, fy = y - y0, fz = z - z0, once = column == 0 ? 0.5f : 1.0f;
    const double of_values = ldexp(1.0, 56 - exponent_of(*peak)), of_weights = ldexp(1.0, 56);
    for (int corner = 0; corner < 8; corner++) {
        const int dx = corner & 1, dy = corner >> 1 & 1, dz = corner >> 2;
        const int to_x = (int)x0 + dx, to_y = ((int)y0 + dy + box) % box, to_z = ((int)z0 + dz + box) % box;
        if (to_x > last) continue;  // beyond the last column by rounding: a weight of nearly nothing
        const float weight = (dz ? fz : 1 - fz) * (dy ? fy : 1 - fy) * once * (dx ? fx : 1 - fx);
        unsigned long long* sum = sums + 3 * (((long long)to_z * box + to_y) * (last + 1) + to_x);
        add(sum, weight * re, of_values);
        add(sum + 1, weight * im, of_values);
        add(sum + 2, weight, of_weights);
    }
}

// The total with the integer sums of one particle added; a particle with numbers that are not finite spoils what it touches.
extern "C" __global__ void __launch_bounds__(THREADS)
    settle(const double2* __restrict__ values, const double* __restrict__ weights, const long long* __restrict__ sums,
           const float* __restrict__ peak, int n_voxels, double2* __restrict__ new_values,
           double* __restrict__ new_weights) {
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n_voxels) return;
    const bool is_finite = *peak < INFINITE;
    const double unit = ldexp(1.0, exponent_of(is_finite ? *peak : 0.0f) - 56);
    const long long *sum = sums + 3 * (long long)i;
    const double spoilt = is_finite || sum[2] == 0 ? 0.0 : (double)__int_as_float(0x7fc00000);
    new_values[i] = make_double2(values[i].x + (double)sum[0] * unit + spoilt, values[i].y + (double)sum[1] * unit + spoilt);
    new_weights[i] = weights[i] + (double)sum[2] * ldexp(1.0, -56);
}
