import { O_NOFOLLOW, O_RDONLY, readInto } from '../env.js'
import { withNumber } from '../format/checksum.js'
import {
  checkImagePage,
  decodeImageHeader,
  IMAGE_HEADER,
  IMAGE_PAGE,
  type ImageHeader,
} from '../format/image.js'
import { imageName } from '../format/names.js'
import { isZero } from '../format/numbers.js'
import { type Core, logFolder } from '../js/core.js'

/** What is wrong with an image, and where; 'begun' when it has no header yet, which is written last. */
export async function whatIsWrong(
  core: Core,
  number: number,
): Promise<{ readonly offset: number; readonly what: string } | 'begun' | undefined> {
  const { env, dir, header: directory, contexts } = core
  const fd = await env.open(`${logFolder(dir)}/${imageName(number)}`, O_RDONLY | O_NOFOLLOW)
  try {
    const { size } = await env.statusOf(fd)
    const head = Buffer.alloc(IMAGE_HEADER)
    const got = await readInto(env, fd, head, 0)
    if (isZero(head, 0, got)) return 'begun'
    const header = decodeImageHeader(head, number, size, directory.storeId, contexts.image)
    if (header === undefined) return { offset: 0, what: 'the head of an image is not what was written' }
    const context = withNumber(contexts.page, number)
    const space = Buffer.allocUnsafeSlow(IMAGE_PAGE)
    for (let page = 0; page < header.pages; page += 1) {
      const offset = IMAGE_HEADER + page * IMAGE_PAGE
      const bytes = space.subarray(0, Math.min(IMAGE_PAGE, size - offset))
      await readInto(env, fd, bytes, offset)
      if (checkImagePage(bytes, page, context) === 0) {
        return { offset, what: `page ${page} of an image is not what was written` }
      }
    }
    return undefined
  } finally {
    await env.close(fd)
  }
}

/** The header of the image that an open takes. */
export async function headerOf(core: Core, number: number): Promise<ImageHeader | undefined> {
  const { env, dir, header: directory, contexts } = core
  const fd = await env.open(`${logFolder(dir)}/${imageName(number)}`, O_RDONLY | O_NOFOLLOW)
  try {
    const { size } = await env.statusOf(fd)
    const head = Buffer.alloc(IMAGE_HEADER)
    await readInto(env, fd, head, 0)
    return decodeImageHeader(head, number, size, directory.storeId, contexts.image)
  } finally {
    await env.close(fd)
  }
}
