/** What the person does about pictures: shows one, shows none any more, looks at those of contacts. */
import type { ContactBook } from '../contact-book.ts'
import type { Engine } from '../engine.ts'
import type { ContactId } from '../events.ts'
import { AVATAR_SALT_LENGTH, type Avatar, encodeAvatar, type Face } from './avatar.ts'

export class AvatarBook {
  private readonly engine: Engine
  private readonly book: ContactBook

  constructor(engine: Engine, book: ContactBook) {
    this.engine = engine
    this.book = book
  }

  /** Ours; undefined: we show none. */
  own(): Avatar | undefined {
    return this.engine.avatars.own()
  }

  /** Contacts hear of it, and ask for it when they look. @throws SottoError E_DISK_FULL; RangeError for what is no picture to show */
  set(face: Face): Avatar {
    const avatar = encodeAvatar(face, this.engine.random(AVATAR_SALT_LENGTH))
    this.change(avatar)
    return avatar
  }

  /** Contacts hear of it, and their programs remove what they have of it. @throws SottoError E_DISK_FULL */
  remove(): void {
    this.change(undefined)
  }

  /** The newest of theirs that is here; undefined: none is. @throws SottoError E_CHAT_CONTACT */
  of(id: ContactId): Avatar | undefined {
    return this.engine.avatars.of(this.book.find(id))
  }

  /**
   * The person looks at this conversation: where the picture is another than the one here, it is asked for.
   * @throws SottoError E_CHAT_CONTACT, E_DISK_FULL
   */
  look(id: ContactId): void {
    const contact = this.book.find(id)
    this.engine.change((after) => this.engine.avatars.look(contact, false, this.engine.now(), after))
  }

  private change(avatar: Avatar | undefined): void {
    const { engine } = this
    const { records } = engine
    engine.change(() => {
      const { avatar: _, ...profile } = records.profile()!
      records.putProfile(avatar === undefined ? profile : { ...profile, avatar: avatar.hash })
      if (avatar === undefined) records.deleteOwnAvatar()
      else records.putOwnAvatar(avatar.bytes)
    })
    engine.announce()
  }
}
