"""Poses and points: where particles are and how they are turned. float64, on the host, no voxels.

The conventions of the whole engine, each pinned by a scene in tests/conventions/:

| what | rule |
|---|---|
| array axes | z, y, x inside; x, y, z in this room and wherever a name or a key says xyz |
| voxel coordinates | from 0, integers at voxel centres |
| centre of a box | index n // 2, n even or odd |
| pose | the template is turned about the box centre by R, then shifted by d along the box axes |
| angles | (tdrot, tilt, narot) deg; particle to template M = Rz(narot) Rx(tilt) Rz(tdrot) on columns, right-handed |
| rotation R | template to particle, R = M transposed; the inverse has the triplet (-narot, -tilt, -tdrot) |
| test vector | (30, 40, 50): rows (.263258 .909616 .321394) (-.829598 .043412 .556670) (.492404 -.413176 .766044) |
| RELION | (rot, tilt, psi) = (narot - 90, tilt, tdrot + 90); the test vector is (-40, 40, 120) |
| particle axis | n = R z = (sin tdrot sin tilt, cos tdrot sin tilt, cos tilt) |
| particle | particle(x) = template(M (x - c - d) + c), so template point q is found at R (q - c) + c + d |
| place in the tomogram | box position + d |
| moved origin | template origin moved by v (template axes): d becomes d + R v |
| symmetry | a template unchanged by S does not tell R from R S |
| binning | Fourier cropping keeps the centre at n // 2; block means move it by (f - 1) / (2 f) px |
| Fourier arrays | half of the last axis, zero frequency in the corner |
| resolution | shell k of a box of n voxels of a A: n a / k A |
| contrast | the template has the sign of the data |
| tilt geometry | axis y; x' = x cos t + z sin t, depth z' = -x sin t + z cos t, underfocus = central underfocus - z' |
| halves | a column of the table, inherited, never inferred |
"""
