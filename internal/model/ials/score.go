package ials

// scoreBlock is how many items are laid out for the kernels at once: they and sixteen users stay in
// the second-level cache up to d = 512.
const scoreBlock = 64

// Scores sets out to users·itemsᵀ, out[u·m+i] being user u's score of item i. users and items are
// row-major with d components a row, out has a row of m = len(items)/d for each user. Best called
// with some 16 users at a time. It runs in the caller's goroutine.
func Scores(users, items []float32, d int, out []float32) {
	scores(chooseKernels(), users, items, d, out)
}

func scores(k *kernels, users, items []float32, d int, out []float32) {
	n, m, w := len(users)/d, len(items)/d, lanes(d)
	padded := (n + 1) / 2 * 2
	scratch := make([]lane, padded*w+scoreBlock*w+padded*lanes(scoreBlock))
	us, is, results := scratch[:padded*w], scratch[padded*w:(padded+scoreBlock)*w], scratch[(padded+scoreBlock)*w:]
	for u := range n {
		k.scale(us[u*w:], 1, users[u*d:(u+1)*d], nil, 1)
	}
	at := layout{row: lanes(scoreBlock), panel: 1}
	for lo := 0; lo < m; lo += scoreBlock {
		count := min(scoreBlock, m-lo)
		for i := range count {
			k.scale(is[i*w:], 1, items[(lo+i)*d:(lo+i+1)*d], nil, 1)
		}
		for u := 0; u < padded; u += 2 {
			k.dots(results, at, u, us[u*w:(u+2)*w], is, w, 0, (count+3)/4*4)
		}
		for u := range n {
			for l := range lanes(count) {
				copy(out[u*m+lo+16*l:u*m+lo+count], results[u*at.row+l][:])
			}
		}
	}
}
