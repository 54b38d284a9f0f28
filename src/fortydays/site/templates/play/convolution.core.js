// Convolution with windows of 3 x 3, ReLU and pooling on small pictures. Nothing here touches the page.
play.convolution = (() => {
  const SIDE = 3;

  // A picture of bytes, red, green and blue of each pixel in turn, as three planes of values from 0 to 1.
  const planes = (bytes) => [0, 1, 2].map((color) => Float64Array.from({ length: bytes.length / 3 }, (_, n) => bytes[3 * n + color] / 255));
  const gray = ([red, green, blue]) => red.map((each, n) => 0.299 * each + 0.587 * green[n] + 0.114 * blue[n]);

  // How many places a window has along a side.
  const places = (side, { padding, stride }) => Math.floor((side + 2 * padding - SIDE) / stride) + 1;

  // What the window at a place of the map covers: for each plane nine values, row by row; 0 beyond the edge.
  function covered(picture, row, column, { padding, stride }) {
    return picture.planes.map((plane) => Array.from({ length: SIDE * SIDE }, (_, n) => {
      const y = row * stride - padding + Math.floor(n / SIDE), x = column * stride - padding + (n % SIDE);
      return y < 0 || x < 0 || y >= picture.height || x >= picture.width ? 0 : plane[y * picture.width + x];
    }));
  }
  // weights: for each plane nine numbers. The products are added, and the bias to them.
  const sum = (values, weights, bias) => values.reduce((all, plane, k) => plane.reduce((s, x, n) => s + x * weights[k][n], all), bias);

  function convolve(picture, weights, bias, options) {
    const height = places(picture.height, options), width = places(picture.width, options);
    const values = Float64Array.from({ length: height * width }, (_, n) =>
      sum(covered(picture, Math.floor(n / width), n % width, options), weights, bias));
    return { height, width, values };
  }
  const relu = (map) => ({ ...map, values: map.values.map((each) => Math.max(0, each)) });
  // The largest of each two by two; a last row or column that has no partner is left out.
  function pool(map) {
    const height = Math.floor(map.height / 2), width = Math.floor(map.width / 2);
    const values = Float64Array.from({ length: height * width }, (_, n) => {
      const at = 2 * Math.floor(n / width) * map.width + 2 * (n % width);
      return Math.max(...[0, 1, map.width, map.width + 1].map((further) => map.values[at + further]));
    });
    return { height, width, values };
  }
  return { SIDE, planes, gray, places, covered, sum, convolve, relu, pool };
})();
